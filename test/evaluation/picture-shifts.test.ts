import t from 'tap'
import { pictureShifts, shiftedPicture } from '../../src/evaluation/picture-shifts.js'
import { seededRandom } from '../../src/base/random.js'

const size = { width: 64, height: 32 }
const random = seededRandom(4)
const picture = Uint8Array.from({ length: size.width * size.height * 3 }, () => random.integer(256))
const plain = (value: number): Uint8Array => new Uint8Array(picture.length).fill(value)

/** Whether two pictures are the same, byte for byte. */
const isSame = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0

/** The value of a colour at a place. */
const at = (pixels: Uint8Array, x: number, y: number, color = 0): number =>
  pixels[(y * size.width + x) * 3 + color]!

t.test('every shift keeps the size and its original, and changes what is seen', (t) => {
  const before = picture.slice()
  for (const shift of pictureShifts) {
    const shifted = shiftedPicture(shift, [picture], size)
    t.equal(shifted.length, picture.length, shift)
    t.notOk(isSame(shifted, picture))
    t.ok(isSame(shiftedPicture(shift, [picture], size), shifted), 'without chance')
  }
  t.ok(isSame(picture, before))
  t.end()
})

t.test('light: two fifths of it, and half way to white', (t) => {
  t.ok(isSame(shiftedPicture('dark', [plain(200)], size), plain(80)))
  t.ok(isSame(shiftedPicture('bright', [plain(100)], size), plain(178)))
  t.ok(isSame(shiftedPicture('bright', [plain(255)], size), plain(255)))
  t.end()
})

t.test('a blurred picture keeps even areas and spreads a point evenly', (t) => {
  t.ok(isSame(shiftedPicture('blurred', [plain(77)], size), plain(77)))
  const point = plain(0)
  point[(10 * size.width + 20) * 3 + 1] = 90
  const blurred = shiftedPicture('blurred', [point], size)
  for (const y of [9, 10, 11]) for (const x of [19, 20, 21]) t.equal(at(blurred, x, y, 1), 10)
  t.equal(at(blurred, 22, 10, 1), 0)
  t.equal(at(blurred, 20, 10, 0), 0, 'colours do not mix')
  t.end()
})

t.test('a small copy lies in the middle of grey', (t) => {
  const small = shiftedPicture('small', [plain(10)], size)
  t.same([at(small, 15, 16), at(small, 16, 16), at(small, 47, 16), at(small, 48, 16)], [114, 10, 10, 114])
  t.same([at(small, 32, 7), at(small, 32, 8), at(small, 32, 23), at(small, 32, 24)], [114, 10, 10, 114])
  t.end()
})

t.test('a mosaic shows four pictures, and those there are again where there are fewer', (t) => {
  const corners = (pixels: Uint8Array): readonly number[] =>
    [
      [0, 0],
      [63, 0],
      [0, 31],
      [63, 31],
    ].map(([x, y]) => at(pixels, x!, y!))
  t.same(corners(shiftedPicture('mosaic', [1, 2, 3, 4].map(plain), size)), [1, 2, 3, 4])
  t.same(corners(shiftedPicture('mosaic', [5, 6].map(plain), size)), [5, 6, 5, 6])
  t.end()
})
