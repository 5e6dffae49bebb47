import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import t from 'tap'
import { socketPair } from '../../src/camera/socket-pair.js'

t.test('what is written at one end is read at the other, and no name stays behind', async (t) => {
  const before = new Set(readdirSync(tmpdir()))
  const received: Buffer[] = []
  const buffer = Buffer.alloc(64)
  const { readEnd, writeEnd } = await socketPair({
    buffer,
    callback: (count) => {
      received.push(Buffer.from(buffer.subarray(0, count)))
      return true
    },
  })
  writeEnd.end('some pixels')
  readEnd.resume()
  await once(readEnd, 'close')
  t.equal(Buffer.concat(received).toString(), 'some pixels')
  const { localAddress, remoteAddress } = readEnd
  t.same([localAddress, remoteAddress], [undefined, undefined], 'no network is involved')
  const left = readdirSync(tmpdir()).filter((name) => name.startsWith('yolo-edge-') && !before.has(name))
  t.same(left, [])
})

t.test('without a reader here nothing is taken from the socket', async (t) => {
  const { readEnd, writeEnd } = await socketPair()
  writeEnd.write('kept for the child')
  await new Promise((resolve) => setTimeout(resolve, 30))
  t.equal(readEnd.bytesRead, 0)
  readEnd.destroy()
  writeEnd.destroy()
})
