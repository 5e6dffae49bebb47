import { execFileSync } from 'node:child_process'
import t from 'tap'
import { geometryIn, headerBytesOf, letterboxFilters } from '../../src/camera/letterbox-filter.js'
import { letterbox } from '../../src/yolo/letterbox.js'
import { skipWithoutTool } from '../helpers/clips.js'

const skip = skipWithoutTool('ffmpeg')

/** One white picture of the size through the filters. */
function filtered(width: number, height: number, input: { width: number; height: number }): Buffer {
  const source = `color=white:size=${width}x${height},format=rgb24,format=yuv420p`
  const args = ['-nostdin', '-v', 'error', '-f', 'lavfi', '-i', source, '-frames:v', '1']
  const output = ['-vf', letterboxFilters(input), '-pix_fmt', 'rgb24', '-f', 'rawvideo', 'pipe:1']
  return execFileSync('ffmpeg', [...args, ...output], { maxBuffer: 64e6 })
}

t.test('the picture lies where the letterbox says, and the header says its size', { skip }, (t) => {
  const inputs = [
    { width: 64, height: 64 },
    { width: 96, height: 64 },
    { width: 64, height: 96 },
  ]
  // Halves that round to even, sides that vanish, digits of one and two places, both sides of a power of 64.
  const sizes = [
    [640, 480],
    [1280, 720],
    [1920, 1080],
    [64, 64],
    [65, 63],
    [128, 127],
    [101, 7],
    [7, 101],
    [33, 20],
    [2, 1],
    [1, 2],
    [1000, 3],
    [4096, 2160],
    [512, 4],
    [512, 12],
    [512, 20],
    [512, 28],
  ] as const
  for (const input of inputs) {
    const before = letterbox(input, input)
    for (const [width, height] of sizes) {
      const bytes = filtered(width, height, input)
      const headerBytes = headerBytesOf(input.width)
      t.equal(bytes.length, headerBytes + input.width * input.height * 3)
      const box = geometryIn(bytes.subarray(0, headerBytes), before)
      t.same(box, letterbox({ width, height }, input), `${width}x${height}`)
      const wrong = Array.from({ length: input.width * input.height }, (_, at) => at).filter((at) => {
        const x = (at % input.width) - box.padLeft
        const y = Math.floor(at / input.width) - box.padTop
        const isInside = x >= 0 && y >= 0 && x < box.scaledWidth && y < box.scaledHeight
        const value = bytes[headerBytes + at * 3] ?? 0
        return isInside ? value < 250 : value !== 114
      })
      t.same(wrong, [], `${width}x${height} in ${input.width}x${input.height}`)
    }
  }
  t.end()
})

t.test('an unchanged size keeps the geometry; a size beyond the digits is refused', (t) => {
  const before = letterbox({ width: 130, height: 70 }, { width: 64, height: 64 })
  t.equal(geometryIn(Uint8Array.of(2, 1, 0, 1, 5, 0), before), before)
  t.match(geometryIn(Uint8Array.of(255, 255, 0, 63, 63, 0), before), {
    sourceWidth: 16384,
    sourceHeight: 16384,
  })
  t.throws(() => geometryIn(Uint8Array.of(255, 255, 1, 0, 0, 0), before), { code: 'camera.stream_broken' })
  t.end()
})
