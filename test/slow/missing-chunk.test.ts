/** A chunk that the broker does not have ends the download with its reason, however much else arrives on the connection. */

import t from 'tap'
import { sha256Of } from '../../src/base/digest.js'
import { cutBlob } from '../../src/protocol/cut-blob.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import { downloadBlob } from '../../src/transport/blob-download.js'
import { publishRetained } from '../../src/transport/publish-retained.js'
import { bytesFrom } from '../helpers/blobs.js'
import { openConnection, startBroker } from '../helpers/broker.js'

const topics = topicsBelow('yolo-edge/v2')
/** What the product promises is three minutes; a busy machine may be late. */
const options = { timeout: 600_000 }
t.setTimeout(900_000)

t.test('a missing chunk is told while pings, commands and wishes go on arriving', options, async (t) => {
  const broker = await startBroker(t)
  const publisher = await openConnection(t, broker.url)
  const device = await openConnection(t, broker.url, { keepaliveS: 5 })
  const bytes = bytesFrom(1, 4 * 61_440)
  const blob = cutBlob(bytes, 61_440)
  for (const index of [0, 2, 3]) {
    const chunk = bytes.subarray(index * 61_440, (index + 1) * 61_440)
    await publishRetained(publisher, topics.chunk(blob.sha256, index), chunk)
  }
  let heard = 0
  device.subscribe([topics.commandsOf('cam'), topics.deviceDesired('cam')], 1, () => heard++)
  const chatter = setInterval(() => {
    void publisher.publish(topics.command('cam', 'ping'), Buffer.alloc(2000), { qos: 0 })
    void publishRetained(publisher, topics.deviceDesired('cam'), Buffer.alloc(500))
  }, 200)
  t.teardown(() => {
    clearInterval(chatter)
  })
  const stored = new Set<number>()
  const startMs = performance.now()
  await t.rejects(
    downloadBlob(device, topics, blob, {
      missingChunks: () => [0, 1, 2, 3].filter((index) => !stored.has(index)),
      writeChunk: (index, chunk) => {
        if (sha256Of(chunk) !== blob.chunks[index]) return Promise.resolve('mismatch')
        stored.add(index)
        return Promise.resolve('stored')
      },
    }),
    { code: 'network.chunk_missing', message: new RegExp(`${topics.chunk(blob.sha256, 1)}: asked`) },
  )
  t.comment(
    `told after ${((performance.now() - startMs) / 1000).toFixed(0)} s, beside ${heard} other messages`,
  )
  t.same([...stored].sort(), [0, 2, 3])
  t.ok(heard > 100)
})
