import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { openConnection, startBroker } from '../helpers/broker.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes that Buffers hold outside the heap, MB: the least after some collections, as what was just sent goes in its own time. */
async function bufferMb(): Promise<number> {
  const seen: number[] = []
  for (let round = 0; round < 10; round++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    collect()
    seen.push(process.memoryUsage().arrayBuffers / 1e6)
  }
  return Math.min(...seen)
}

t.test('messages of two thousand lengths leave nothing behind', async (t) => {
  const { url } = await startBroker(t)
  const connection = await openConnection(t, url)
  const body = Buffer.alloc(16_384, 'x')
  for (let index = 0; index < 50; index++) await connection.publish('a', body.subarray(0, 100), { qos: 0 })
  const before = await bufferMb()
  for (let length = 1000; length < 9000; length += 4) {
    // What other work takes from the blocks of Buffer between two messages.
    for (let piece = 0; piece < 8; piece++) Buffer.from('y'.repeat(1200))
    await connection.publish('a', body.subarray(0, length), { qos: 0 })
  }
  // Once this is acknowledged, everything before it has left.
  await connection.publish('a', body.subarray(0, 100), { qos: 1 })
  const growth = (await bufferMb()) - before
  t.ok(growth < 4, `${growth.toFixed(1)} MB`)
})
