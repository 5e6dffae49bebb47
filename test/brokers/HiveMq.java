import com.hivemq.embedded.EmbeddedHiveMQ;
import java.nio.file.Path;

/** HiveMQ Community Edition with the configuration and data folders named by the arguments. */
public class HiveMq {
    public static void main(String[] arguments) throws Exception {
        EmbeddedHiveMQ broker = EmbeddedHiveMQ.builder()
                .withConfigurationFolder(Path.of(arguments[0]))
                .withDataFolder(Path.of(arguments[1]))
                .withExtensionsFolder(Path.of(arguments[2]))
                .build();
        broker.start().join();
        Thread.currentThread().join();
    }
}
