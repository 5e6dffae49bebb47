import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { SearchFolder, type TrialRecord } from '../../../src/cli/search/search-folder.js'
import type { Candidate } from '../../../src/compress/search/candidate.js'
import { madeUpTrial } from '../../compress/search/search.js'

const fingerprint = 'a'.repeat(64)
const float: Candidate = { precision: 'fp32', side: 640, macs: 1 }
const int8: Candidate = { precision: 'int8', target: 'x64-vnni', side: 512, macs: 0.85 }
const record = (candidate: Candidate): TrialRecord => ({ trial: madeUpTrial(candidate), durationMs: 5 })

t.test('a search finds its trials, models, notes and its age again', async (t) => {
  const path = join(t.testdir(), 'bundle.search')
  const first = await SearchFolder.open(path, fingerprint, 1000)
  t.same(first.records, [])
  await first.add(record(float), Uint8Array.of(1, 2))
  await first.add(record(int8), Uint8Array.of(3))
  await first.keepNote('speed', { ms: 4.5 })
  await first.keepBytes('pruned-85.onnx', Uint8Array.of(9))
  const again = await SearchFolder.open(path, fingerprint, 2000)
  t.equal(again.startedAtMs, 1000)
  t.same(again.records, [record(float), record(int8)])
  t.same([...(await again.model(int8))], [3])
  t.same(await again.note('speed'), { ms: 4.5 })
  t.equal(await again.note('nothing'), undefined)
  t.same([...(await again.bytes('pruned-85.onnx'))!], [9])
  await again.remove()
  t.same((await SearchFolder.open(path, fingerprint, 3000)).records, [])
})

t.test('the record of another search is not touched', async (t) => {
  const path = join(t.testdir(), 'bundle.search')
  await (await SearchFolder.open(path, fingerprint, 1000)).add(record(float), undefined)
  await t.rejects(SearchFolder.open(path, 'b'.repeat(64), 1000), {
    code: 'cli.argument_invalid',
    message: /is the record of another search/,
  })
  t.equal((await SearchFolder.open(path, fingerprint, 1000)).records.length, 1)
})

t.test('what a killed process left half written is gone', async (t) => {
  const path = join(t.testdir(), 'bundle.search')
  await SearchFolder.open(path, fingerprint, 1000)
  writeFileSync(join(path, 'trials', '.000-x.json.1234.tmp'), '{"tri')
  writeFileSync(join(path, 'models', '.x.onnx.1234.tmp'), 'half')
  t.same((await SearchFolder.open(path, fingerprint, 1000)).records, [])
  t.same([...readdirSync(join(path, 'trials')), ...readdirSync(join(path, 'models'))], [])
})
