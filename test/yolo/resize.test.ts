import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { letterbox } from '../../src/yolo/letterbox.js'
import type { RgbPicture } from '../../src/yolo/resize.js'
import { fillLetterboxed, resizeBilinear } from '../../src/yolo/resize.js'
import { fixture } from '../helpers/paths.js'

function patterned(width: number, height: number): RgbPicture {
  const data = new Uint8Array(width * height * 3)
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < 3; channel++, at++)
        data[at] = (x * 37 + y * 101 + channel * 59 + x * y * 7) % 256
    }
  }
  return { data, width, height }
}

function resized(source: RgbPicture, width: number, height: number): number[] {
  const data = new Uint8Array(width * height * 3)
  resizeBilinear(source, { data, rowWidth: width, left: 0, top: 0, width, height })
  return [...data]
}

t.test('shrinking gives the bytes of cv2.resize with INTER_LINEAR', (t) => {
  // cv2 4.x, the same pattern, 13x11 -> 5x4
  const expected = [
    123, 182, 62, 145, 70, 116, 123, 150, 209, 203, 38, 97, 91, 150, 177, 160, 91, 118, 124, 125, 120, 68,
    127, 90, 173, 97, 92, 137, 176, 126, 120, 179, 91, 115, 116, 111, 110, 73, 132, 130, 67, 126, 150, 190,
    121, 209, 82, 96, 119, 178, 90, 215, 50, 109, 87, 146, 96, 183, 56, 89,
  ]
  t.same(resized(patterned(13, 11), 5, 4), expected)
  t.end()
})

t.test('enlarging gives the bytes of cv2.resize too, borders repeated', (t) => {
  // cv2 4.x, the upper left 2x2 of the pattern -> 4x3
  const expected = [
    0, 59, 118, 9, 68, 127, 28, 87, 146, 37, 96, 155, 51, 110, 169, 61, 120, 147, 81, 140, 103, 91, 150, 81,
    101, 160, 219, 112, 171, 166, 134, 193, 60, 145, 204, 7,
  ]
  const source = { data: new Uint8Array(12), width: 2, height: 2 }
  const whole = patterned(2, 2)
  source.data.set(whole.data)
  t.same(resized(source, 4, 3), expected)
  t.end()
})

t.test('the same size is a copy', (t) => {
  const source = patterned(9, 7)
  t.same(resized(source, 9, 7), [...source.data])
  t.end()
})

t.test('a letterboxed picture is grey outside of the geometry and only there', (t) => {
  for (const [width, height] of [
    [40, 20],
    [20, 40],
    [33, 32],
    [1, 200],
  ] as const) {
    const box = letterbox({ width, height }, { width: 32, height: 32 })
    const white = { data: new Uint8Array(width * height * 3).fill(255), width, height }
    const pixels = new Uint8Array(32 * 32 * 3).fill(7)
    fillLetterboxed(white, pixels, box)
    const wrong: string[] = []
    for (let y = 0; y < 32; y++) {
      for (let x = 0; x < 32; x++) {
        const isInside =
          x >= box.padLeft &&
          x < box.padLeft + box.scaledWidth &&
          y >= box.padTop &&
          y < box.padTop + box.scaledHeight
        const value = pixels[(y * 32 + x) * 3]
        if (value !== (isInside ? 255 : 114)) wrong.push(`${x},${y}: ${value ?? 'nothing'}`)
      }
    }
    t.same(wrong, [], `${width}x${height}`)
  }
  t.end()
})

t.test('a letterbox of another picture is a programmer error', (t) => {
  const box = letterbox({ width: 4, height: 4 }, { width: 8, height: 8 })
  t.throws(
    () => {
      fillLetterboxed(patterned(5, 4), new Uint8Array(192), box)
    },
    { code: 'internal.invariant_broken' },
  )
  t.end()
})

t.test('synthetic pictures give the bytes of Ultralytics LetterBox', (t) => {
  const reference = JSON.parse(readFileSync(fixture('yolo', 'reference.json'), 'utf8')) as {
    letterboxed: { size: [number, number, number, number]; sha256: string }[]
  }
  for (const { size, sha256 } of reference.letterboxed) {
    const [width, height, inputWidth, inputHeight] = size
    // The bytes that make_reference.py hashes out of their index.
    const data = Uint8Array.from(
      { length: width * height * 3 },
      (_, index) => Math.imul(index, 2654435761) >>> 24,
    )
    const into = new Uint8Array(inputWidth * inputHeight * 3)
    const geometry = letterbox({ width, height }, { width: inputWidth, height: inputHeight })
    fillLetterboxed({ data, width, height }, into, geometry)
    t.equal(createHash('sha256').update(into).digest('hex'), sha256, size.join(' '))
  }
  t.end()
})
