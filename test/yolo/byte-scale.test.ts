import t from 'tap'
import { byteOutputsEntry, byteScaleOf, planesOfBytes } from '../../src/yolo/byte-scale.js'

const scale = { scale: Math.fround(0.123), zeroPoint: 7 }

t.test('what a file says of its bytes is read as it was written', (t) => {
  const metadata = new Map([byteOutputsEntry(new Map([['p3_box', scale]]))])
  t.same(byteScaleOf(metadata, 'p3_box'), scale)
  t.equal(byteScaleOf(metadata, 'p3_cls'), undefined)
  t.equal(byteScaleOf(new Map(), 'p3_box'), undefined)
  t.equal(byteScaleOf(metadata, 'constructor'), undefined)
  t.end()
})

t.test('what is no scale is none', (t) => {
  const [[key]] = [byteOutputsEntry(new Map())]
  const rows = ['0.1', '[0.1,3]', '[0,3]', '[-1,3]', '[0.5,3.5]', '[0.5,256]', '[0.5,-1]', '[0.5]', 'null']
  for (const text of [...rows.map((row) => `{"a":${row}}`), 'null', '[]', 'no JSON', ''])
    t.equal(byteScaleOf(new Map([[key, text]]), 'a'), undefined, text)
  t.end()
})

t.test('bytes become planes of the numbers that they stand for', (t) => {
  const planes = planesOfBytes(Uint8Array.of(7, 8, 9, 6, 0, 255), 2, { scale: 0.5, zeroPoint: 7 })
  t.same([...planes], [0, 1, -3.5, 0.5, -0.5, 124])
  t.end()
})
