/** The product's embedded broker (aedes) as a process of its own: `node embedded.js PORT`, until it is ended. */

import { EmbeddedBroker } from '../../src/transport/embedded-broker.js'

await new EmbeddedBroker({ port: Number(process.argv[2]) }).start()
