#!/bin/sh
# Apache ActiveMQ Artemis 2.40.0: 50 MQTT clients that connect at the same time are turned away, unless the pool has a thread for each.
# A connecting client occupies a thread of the broker's pool (`thread-pool-max-size`, 30 by default) until its session state is
# written, and the writing is finished by another thread of the same pool. When 30 or more connect at once, as a fleet does after a
# restart of the broker, none is left: all wait for each other for five seconds (`mqtt-session-state-persistence-timeout`) and are then
# refused; those that come back do the same again. Processor and disk are idle meanwhile. With 500 threads all connect at once.
# Output seen:
#   30 threads: refused connections: yes
#   500 threads: 50 of 50 connected, refused connections: no
set -e
folder=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || kill "$broker" 2> /dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
cat > pom.xml << 'END'
<project><modelVersion>4.0.0</modelVersion><groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
<dependencies><dependency><groupId>org.apache.activemq</groupId><artifactId>artemis-mqtt-protocol</artifactId><version>2.40.0</version></dependency></dependencies></project>
END
mvn -q -B dependency:copy-dependencies -DoutputDirectory=jars > /dev/null
npm init -y > /dev/null
npm install --silent --no-audit --no-fund mqtt@5.16.0 > /dev/null
cat > Broker.java << 'END'
import java.io.File;
import org.apache.activemq.artemis.core.server.embedded.EmbeddedActiveMQ;
public class Broker {
    public static void main(String[] arguments) throws Exception {
        EmbeddedActiveMQ broker = new EmbeddedActiveMQ();
        broker.setConfigResourcePath(new File(arguments[0]).toURI().toString());
        broker.start();
        Thread.currentThread().join();
    }
}
END
cat > try.cjs << 'END'
const mqtt = require('mqtt')
const [port, threads] = process.argv.slice(2)
let refused = 0
const online = new Set()
const clients = Array.from({ length: 50 }, (_, index) => {
  const will = { topic: `will/${index}`, payload: 'offline', qos: 1, retain: true }
  const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, clientId: `c${index}`, will, reconnectPeriod: 1000 })
  client.on('error', () => refused++)
  client.on('connect', () => {
    online.add(index)
    for (const name of ['a', 'b']) client.publish(`state/${index}/${name}`, Buffer.alloc(500), { qos: 1, retain: true })
    client.subscribe([`wish/${index}`, 'wish/all'], { qos: 1 })
  })
  client.on('disconnect', () => refused++)
  return client
})
const limit = Date.now() + 40000
const timer = setInterval(() => {
  const isSettled = threads === '30' ? refused > 0 : online.size === clients.length
  if (!isSettled && Date.now() < limit) return
  clearInterval(timer)
  const seen = threads === '30' ? '' : `${online.size} of ${clients.length} connected, `
  console.log(`${threads} threads: ${seen}refused connections: ${refused > 0 ? 'yes' : 'no'}`)
  process.exit(isSettled && refused > 0 === (threads === '30') ? 0 : 1)
}, 100)
END
for threads in 30 500; do
  port=$(node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
  cat > broker.xml << END
<configuration xmlns="urn:activemq"><core xmlns="urn:activemq:core"><security-enabled>false</security-enabled>
<thread-pool-max-size>$threads</thread-pool-max-size>
<journal-directory>$folder/$threads/journal</journal-directory><bindings-directory>$folder/$threads/bindings</bindings-directory>
<large-messages-directory>$folder/$threads/large</large-messages-directory><paging-directory>$folder/$threads/paging</paging-directory>
<acceptors><acceptor name="mqtt">tcp://127.0.0.1:$port?protocols=MQTT</acceptor></acceptors></core></configuration>
END
  java -Xmx512m -cp 'jars/*' Broker.java broker.xml > /dev/null 2>&1 &
  broker=$!
  node -e 'const n=require("net");const go=()=>{const s=n.connect(+process.argv[1],"127.0.0.1");s.on("connect",()=>process.exit(0));s.on("error",()=>setTimeout(go,300))};go()' "$port"
  node try.cjs "$port" "$threads"
  kill "$broker"
  wait "$broker" 2> /dev/null || true
  broker=
done
