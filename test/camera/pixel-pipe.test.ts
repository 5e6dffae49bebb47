import { once } from 'node:events'
import t from 'tap'
import { systemClock } from '../../src/base/clock.js'
import { seededRandom } from '../../src/base/random.js'
import { FrameRing } from '../../src/camera/frame-ring.js'
import { frameBytesOf, openPixelPipe } from '../../src/camera/pixel-pipe.js'
import { letterbox } from '../../src/yolo/letterbox.js'

const input = { width: 16, height: 16 }
const box = letterbox({ width: 32, height: 16 }, input)
const forever = new AbortController().signal

function ringOf(mode: 'live' | 'every-frame'): FrameRing {
  return new FrameRing({ inputWidth: 16, inputHeight: 16, mode, slotCount: 3 })
}

const headerBytes = 16 * 3
const frameBytes = frameBytesOf(ringOf('live'))
const ignore = (): void => undefined

/** The row above a picture of at most 64 x 64 pixels. */
function headerOf(width: number, height: number): readonly number[] {
  const digits = [0, 0, 0, width - 1, height - 1, 0]
  return [...digits, ...Array.from({ length: headerBytes - digits.length }, () => 114)]
}

/** `count` frames, each byte of which follows from its place; the size of the picture as `sizeOf` says. */
function streamOf(count: number, sizeOf = (_: number): readonly [number, number] => [32, 16]): Buffer {
  const bytes = Array.from({ length: frameBytes * count }, (_, index) => (index * 31 + (index >> 8)) % 256)
  for (let frame = 0; frame < count; frame++)
    bytes.splice(frame * frameBytes, headerBytes, ...headerOf(...sizeOf(frame)))
  return Buffer.from(bytes)
}

t.test('writes of any size become whole frames in order, over pauses of a slow consumer', async (t) => {
  for (let seed = 0; seed < 5; seed++) {
    const random = seededRandom(seed)
    const ring = ringOf('every-frame')
    const pipe = await openPixelPipe(ring, systemClock, forever, ignore)
    const stream = streamOf(20)
    const write = async (): Promise<void> => {
      for (let at = 0; at < stream.length;) {
        const size = 1 + random.integer(2 * frameBytes)
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
      if (!pixels.equals(stream.subarray(frame * frameBytes + headerBytes, (frame + 1) * frameBytes)))
        t.fail(`frame ${frame} differs`)
      if (JSON.stringify(lease.letterbox) !== JSON.stringify(box)) t.fail('another geometry')
      lease.release()
    }
    t.match(await pipe.drained, { pendingBytes: 0, fault: undefined })
    t.equal(ring.captured, 20)
  }
})

t.test('an unfinished frame is not delivered, and its bytes are told', async (t) => {
  const ring = ringOf('live')
  const pipe = await openPixelPipe(ring, systemClock, forever, ignore)
  pipe.writeEnd.end(streamOf(2).subarray(0, frameBytes + 100))
  t.match(await pipe.drained, { pendingBytes: 100 })
  t.equal(ring.captured, 1)
})

t.test('an abort closes the pipe, also while it waits for the consumer', async (t) => {
  const ring = ringOf('every-frame')
  const abort = new AbortController()
  const pipe = await openPixelPipe(ring, systemClock, abort.signal, ignore)
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
  const opening = openPixelPipe(ring, systemClock, forever, ignore)
  ;(await ring.next(forever))?.release()
  const pipe = await opening
  pipe.writeEnd.end(streamOf(1))
  for (const frameId of [2, 3, 4]) {
    const lease = await ring.next(forever)
    t.equal(lease?.frameId, frameId)
    lease?.release()
  }
  t.match(await pipe.drained, { pendingBytes: 0, fault: undefined })
})

t.test('each frame has the geometry it came with, and each change of size is told once', async (t) => {
  for (const mode of ['live', 'every-frame'] as const) {
    const ring = ringOf(mode)
    const told: string[] = []
    const pipe = await openPixelPipe(ring, systemClock, forever, (width, height) => {
      told.push(`${width}x${height}`)
    })
    const sizes = [
      [16, 16],
      [16, 16],
      [64, 36],
      [64, 36],
      [9, 64],
      [16, 16],
    ] as const
    pipe.writeEnd.end(streamOf(sizes.length, (frame) => sizes[frame] ?? [1, 1]))
    for (let lease = await ring.next(forever); lease !== undefined && lease.frameId <= sizes.length;) {
      const [width, height] = sizes[lease.frameId - 1] ?? [1, 1]
      t.same(lease.letterbox, letterbox({ width, height }, input))
      lease.release()
      lease = lease.frameId === sizes.length ? undefined : await ring.next(forever)
    }
    await pipe.drained
    t.same(told, ['16x16', '64x36', '9x64', '16x16'])
    t.equal(ring.captured, sizes.length)
  }
})

t.test('a picture larger than the header can tell ends the pipe with a reason', async (t) => {
  const ring = ringOf('live')
  const pipe = await openPixelPipe(ring, systemClock, forever, ignore)
  pipe.writeEnd.on('error', ignore)
  pipe.writeEnd.end(Buffer.alloc(frameBytes, 1))
  t.match(await pipe.drained, { fault: { code: 'camera.stream_broken', message: /16384 x 16384/ } })
  t.equal(ring.captured, 0)
})
