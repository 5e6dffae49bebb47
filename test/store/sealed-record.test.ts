import t from 'tap'
import { seededRandom } from '../../src/base/random.js'
import { decodeRecord, encodeRecord } from '../../src/store/sealed-record.js'

const kind = { kind: 'slots', format: 1 }

t.test('what was encoded decodes', (t) => {
  for (const value of [null, 0, 'text\nwith lines', [1, 2], { a: { b: 'ü' } }]) {
    t.same(decodeRecord(kind, encodeRecord(kind, value)), { state: 'valid', value })
  }
  t.end()
})

t.test('another kind or format is corrupt', (t) => {
  const bytes = encodeRecord(kind, { a: 1 })
  t.match(decodeRecord({ kind: 'journal', format: 1 }, bytes), { state: 'corrupt' })
  t.match(decodeRecord({ kind: 'slots', format: 2 }, bytes), { state: 'corrupt' })
  t.end()
})

t.test('every single changed byte, every cut and noise are corrupt', (t) => {
  const bytes = Buffer.from(encodeRecord(kind, { active: 'one', count: 3 }))
  for (let position = 0; position < bytes.length; position++) {
    const changed = Buffer.from(bytes)
    changed[position] = changed[position]! ^ 1
    if (decodeRecord(kind, changed).state !== 'corrupt') t.fail(`byte ${position}`)
    if (decodeRecord(kind, bytes.subarray(0, position)).state !== 'corrupt') t.fail(`cut at ${position}`)
  }
  const random = seededRandom(5)
  for (let round = 0; round < 200; round++) {
    const noise = Uint8Array.from({ length: random.integer(200) }, () => random.integer(256))
    if (decodeRecord(kind, noise).state !== 'corrupt') t.fail(`noise ${round}`)
  }
  t.match(decodeRecord(kind, Buffer.concat([bytes, Buffer.from('x')])), { state: 'corrupt' })
  t.end()
})
