import { once } from 'node:events'
import t from 'tap'
import { systemClock } from '../../src/base/clock.js'
import { seededRandom } from '../../src/base/random.js'
import { FrameRing } from '../../src/camera/frame-ring.js'
import { bandBytesOf, openPixelPipe } from '../../src/camera/pixel-pipe.js'
import { letterbox } from '../../src/yolo/letterbox.js'

const input = { width: 16, height: 16 }
const box = letterbox({ width: 32, height: 16 }, input)
const bandBytes = bandBytesOf(box)
const forever = new AbortController().signal

function ringOf(mode: 'live' | 'every-frame'): FrameRing {
  return new FrameRing({ inputWidth: 16, inputHeight: 16, mode, slotCount: 3 })
}

/** `count` frames, each byte of which follows from its place. */
function streamOf(count: number): Buffer {
  return Buffer.from(
    Uint8Array.from({ length: bandBytes * count }, (_, index) => (index * 31 + (index >> 8)) % 256),
  )
}

t.test('writes of any size become whole frames in order, over pauses of a slow consumer', async (t) => {
  for (let seed = 0; seed < 5; seed++) {
    const random = seededRandom(seed)
    const ring = ringOf('every-frame')
    const pipe = await openPixelPipe(ring, box, systemClock, forever)
    const stream = streamOf(20)
    const write = async (): Promise<void> => {
      for (let at = 0; at < stream.length;) {
        const size = 1 + random.integer(2 * bandBytes)
        if (!pipe.writeEnd.write(stream.subarray(at, at + size))) await once(pipe.writeEnd, 'drain')
        at += size
        if (random.next() < 0.3) await systemClock.sleep(1)
      }
      pipe.writeEnd.end()
    }
    void write()
    for (let frame = 0; frame < 20; frame++) {
      const lease = await ring.next(forever)
      if (lease === undefined) throw new Error('expected a frame')
      if (random.next() < 0.5) await systemClock.sleep(2)
      const pixels = Buffer.from(lease.pixels, lease.byteOffset, lease.byteLength)
      const start = box.padTop * 16 * 3
      const band = pixels.subarray(start, start + bandBytes)
      if (!band.equals(stream.subarray(frame * bandBytes, (frame + 1) * bandBytes)))
        t.fail(`frame ${frame} differs`)
      if (!pixels.subarray(0, start).every((byte) => byte === 114)) t.fail('grey above')
      if (!pixels.subarray(start + bandBytes).every((byte) => byte === 114)) t.fail('grey below')
      lease.release()
    }
    t.equal(await pipe.drained, 0)
    t.equal(ring.captured, 20)
  }
})

t.test('an unfinished frame is not delivered, and its bytes are told', async (t) => {
  const ring = ringOf('live')
  const pipe = await openPixelPipe(ring, box, systemClock, forever)
  pipe.writeEnd.end(streamOf(2).subarray(0, bandBytes + 100))
  t.equal(await pipe.drained, 100)
  t.equal(ring.captured, 1)
})

t.test('an abort closes the pipe, also while it waits for the consumer', async (t) => {
  const ring = ringOf('every-frame')
  const abort = new AbortController()
  const pipe = await openPixelPipe(ring, box, systemClock, abort.signal)
  pipe.writeEnd.on('error', () => undefined)
  pipe.writeEnd.write(streamOf(10))
  while (!ring.isSourceWaiting) await systemClock.sleep(1)
  abort.abort()
  await pipe.drained
  t.equal(ring.captured, 3)
  pipe.writeEnd.destroy()
})

t.test('a pipe opened on a full ring waits for room', async (t) => {
  const ring = ringOf('every-frame')
  for (let value = 0; value < 3; value++) {
    const slot = ring.tryBegin(box)
    if (slot !== undefined) ring.commit(slot, 0)
  }
  const opening = openPixelPipe(ring, box, systemClock, forever)
  ;(await ring.next(forever))?.release()
  const pipe = await opening
  pipe.writeEnd.end(streamOf(1))
  for (const frameId of [2, 3, 4]) {
    const lease = await ring.next(forever)
    t.equal(lease?.frameId, frameId)
    lease?.release()
  }
  t.equal(await pipe.drained, 0)
})
