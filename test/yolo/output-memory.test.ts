import t from 'tap'
import { blockBytes, placeOutputs, searchedArray } from '../../src/yolo/output-memory.js'

t.test('outputs keep their names, types and values, in one memory', (t) => {
  const outputs = new Map<string, Float32Array | Uint8Array>([
    ['p3', Float32Array.of(1, NaN, -2.5)],
    ['p4', Uint8Array.of(7, 255, 0)],
    ['p5', new Float32Array(1000).fill(3)],
    ['none', new Uint8Array(0)],
  ])
  const placed = placeOutputs(outputs)
  t.same(placed, outputs)
  const arrays = [...placed.values()]
  t.equal(new Set(arrays.map(({ buffer }) => buffer)).size, 1)
  for (const { buffer, byteOffset, byteLength } of arrays) {
    t.equal(byteOffset % blockBytes, 0)
    t.ok(byteOffset + byteLength + blockBytes <= buffer.byteLength, 'a block can be read behind the end')
  }
  t.end()
})

t.test('an array of that memory is searched where it lies, another one as a copy', (t) => {
  const loose = Uint8Array.from({ length: 300 }, (_, index) => (index === 260 ? 9 : 1))
  const placed = placeOutputs(
    new Map([
      ['first', new Uint8Array(10)],
      ['out', loose],
    ]),
  ).get('out')!
  const [there, copied] = [searchedArray(placed), searchedArray(loose)]
  t.equal(there.address, placed.byteOffset)
  for (const { search, address } of [there, copied])
    t.equal(search.bytesAbove(address, address + 300, 8), address + 256, 'the block that it lies in')
  placed[3] = 9
  t.equal(
    there.search.bytesAbove(there.address, there.address + 300, 8),
    there.address,
    'what is written later is seen',
  )
  t.ok(there.search.bytesAbove(there.address, there.address + 300, 9) >= there.address + 300, 'none')
  t.end()
})
