import t from 'tap'
import { fillPlanes, frameInput } from '../../src/runtime/frame-input.js'
import { letterboxPad } from '../../src/yolo/letterbox.js'
import { tinyDetector } from '../helpers/tiny-detector.js'

const frameBytes = 3 * 32 * 32

/** Two frames in one memory: all bytes 10, and all bytes 20. */
function twoSlots(): SharedArrayBuffer {
  const pixels = new SharedArrayBuffer(2 * frameBytes)
  new Uint8Array(pixels, 0, frameBytes).fill(10)
  new Uint8Array(pixels, frameBytes).fill(20)
  return pixels
}

t.test('each channel goes to its own plane, in the order red, green, blue', (t) => {
  const target = new Float32Array(6)
  const fractions = Float32Array.from({ length: 256 }, (_, byte) => byte / 255)
  fillPlanes(target, Uint8Array.of(255, 51, 0, 102, 0, 153), 2, fractions)
  t.same(
    [...target],
    [255, 102, 51, 0, 0, 153].map((value) => Math.fround(value / 255)),
  )
  t.end()
})

t.test('bytes are read where they lie if the session takes shared memory, else from one copy', (t) => {
  const { description } = tinyDetector({ layout: 'nhwc-uint8' })
  const pixels = twoSlots()
  for (const takesSharedMemory of [true, false]) {
    const input = frameInput(description, takesSharedMemory)
    const seen = [0, frameBytes].map((byteOffset) => {
      const { type, dims, data } = Object.values(input.feedsOf({ pixels, byteOffset }))[0]!
      t.equal(type, 'uint8')
      t.same(dims, [1, 32, 32, 3])
      t.ok((data as Uint8Array).every((byte) => byte === (byteOffset === 0 ? 10 : 20)))
      return data as Uint8Array
    })
    if (takesSharedMemory)
      t.same(
        seen.map(({ byteOffset }) => byteOffset),
        [0, frameBytes],
      )
    t.equal(seen[0]!.buffer === pixels, takesSharedMemory)
    t.equal(seen[0] === seen[1], !takesSharedMemory, 'a copy goes into the same memory each time')
  }
  t.end()
})

t.test('floats are planes of fractions in one memory', (t) => {
  const { description } = tinyDetector()
  const input = frameInput(description, true)
  const pixels = twoSlots()
  const [grey] = Object.values(input.greyFeeds())
  t.same(grey!.dims, [1, 3, 32, 32])
  t.ok((grey!.data as Float32Array).every((value) => value === Math.fround(letterboxPad / 255)))
  const [fed] = Object.values(input.feedsOf({ pixels, byteOffset: frameBytes }))
  t.ok((fed!.data as Float32Array).every((value) => value === Math.fround(20 / 255)))
  t.equal(fed, grey)
  t.end()
})

t.test('the grey picture of bytes is the grey of letterboxes', (t) => {
  for (const takesSharedMemory of [true, false]) {
    const { description } = tinyDetector({ layout: 'nhwc-uint8' })
    const [grey] = Object.values(frameInput(description, takesSharedMemory).greyFeeds())
    t.equal(grey!.data.length, frameBytes)
    t.ok((grey!.data as Uint8Array).every((byte) => byte === letterboxPad))
  }
  t.end()
})
