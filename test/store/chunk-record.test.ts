import t from 'tap'
import { bytesFrom } from '../helpers/blobs.js'
import { cutBlob } from '../../src/protocol/cut-blob.js'
import {
  CHUNK_RECORD_ENTRY_BYTES,
  CHUNK_RECORD_HEADER_BYTES,
  chunkLengthOf,
  decodeChunkRecord,
  encodeChunkEntries,
  encodeChunkRecordHeader,
} from '../../src/store/chunk-record.js'

const blob = cutBlob(bytesFrom(1, 5000), 1024)
const other = cutBlob(bytesFrom(2, 5000), 1024)
const record = (...indexes: number[]): Buffer =>
  Buffer.concat([encodeChunkRecordHeader(blob), encodeChunkEntries(blob, indexes)])

t.test('a record says which chunks are on disk', (t) => {
  t.same(decodeChunkRecord(blob, record()), { held: new Set(), intactBytes: CHUNK_RECORD_HEADER_BYTES })
  const three = record(4, 0, 2)
  t.same(decodeChunkRecord(blob, three), { held: new Set([4, 0, 2]), intactBytes: three.length })
  const inside = Buffer.concat([Buffer.from('ahead'), three]).subarray(5)
  t.same(decodeChunkRecord(blob, inside)?.held, new Set([4, 0, 2]))
  t.end()
})

t.test('the last chunk may be short', (t) => {
  t.same(
    [0, 3, 4].map((index) => chunkLengthOf(blob, index)),
    [1024, 1024, 5000 - 4 * 1024],
  )
  t.end()
})

t.test('reading stops at the first entry that is not intact', (t) => {
  const two = CHUNK_RECORD_HEADER_BYTES + 2 * CHUNK_RECORD_ENTRY_BYTES
  const whole = record(0, 1, 2)
  for (let cut = 1; cut <= CHUNK_RECORD_ENTRY_BYTES; cut++)
    t.same(decodeChunkRecord(blob, whole.subarray(0, whole.length - cut)), {
      held: new Set([0, 1]),
      intactBytes: two,
    })
  const swapped = Buffer.from(whole)
  swapped.writeUInt32LE(3, two)
  t.same(decodeChunkRecord(blob, swapped)?.held, new Set([0, 1]), 'another index has another check')
  const beyond = Buffer.concat([encodeChunkRecordHeader(blob), encodeChunkEntries(blob, [5])])
  t.same(decodeChunkRecord(blob, beyond)?.held, new Set(), 'there is no chunk 5')
  t.end()
})

t.test('a record of another blob, grid or form is none', (t) => {
  for (const foreign of [other, cutBlob(bytesFrom(1, 5000), 2048)])
    t.equal(decodeChunkRecord(foreign, record(0)), undefined)
  t.equal(decodeChunkRecord(blob, record().subarray(0, CHUNK_RECORD_HEADER_BYTES - 1)), undefined)
  for (const position of [0, 4, 8]) {
    const changed = record(0)
    changed.writeUInt8(changed.readUInt8(position) ^ 1, position)
    t.equal(decodeChunkRecord(blob, changed), undefined, `byte ${position}`)
  }
  t.end()
})
