import t from 'tap'
import { encodeGolden, parseGolden } from '../../src/protocol/golden.js'

const set = {
  dataset: 'val',
  pictures: [
    {
      name: 'a.jpg',
      bytes: Uint8Array.of(1, 2, 3),
      objects: [{ classIndex: 0, x1: 1, y1: 2.5, x2: 30, y2: 40, area: 1087.5, crowd: false }],
    },
    { name: 'empty.jpg', bytes: Uint8Array.of(9), objects: [] },
  ],
}

t.test('a golden set comes back as it was written, also from the middle of a buffer', (t) => {
  const file = encodeGolden(set)
  t.same(parseGolden(file), set)
  const shifted = new Uint8Array(file.byteLength + 5)
  shifted.set(file, 5)
  t.same(parseGolden(shifted.subarray(5)), set)
  t.end()
})

t.test('a file that is no golden set, or is cut or longer, is refused', (t) => {
  const file = encodeGolden(set)
  const code = 'protocol.payload_malformed'
  t.throws(() => parseGolden(new TextEncoder().encode('something else')), { code })
  t.throws(() => parseGolden(file.subarray(0, 6)), { code })
  t.throws(() => parseGolden(file.subarray(0, file.byteLength - 1)), { code, message: /adds up to/ })
  t.throws(() => parseGolden(Uint8Array.of(...file, 0)), { code, message: /adds up to/ })
  t.throws(() => parseGolden(file.subarray(0, 40)), { code }, 'an index without its end')
  t.end()
})

t.test('a set that nobody could read is not written', (t) => {
  const [picture] = set.pictures
  t.throws(() => encodeGolden({ ...set, pictures: [{ ...picture!, bytes: new Uint8Array(0) }] }), {
    message: /size_bytes/,
  })
  t.end()
})
