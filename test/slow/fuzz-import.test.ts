import t from 'tap'
import { exportNames, readExport } from '../helpers/exports.js'
import { fuzzImport } from '../helpers/fuzz-import.js'

// tap ends a test after 30 s unless told otherwise.
t.setTimeout(1_800_000)

t.test('10,000 damaged model files: each is a graph or a coded refusal', (t) => {
  const figures = fuzzImport(exportNames.map(readExport), 10_000, 1)
  t.comment(JSON.stringify({ ...figures, crashes: figures.crashes.length }))
  t.same(figures.crashes, [])
  t.ok(figures.heapGrowthBytes < 500e6, `heap grew by ${figures.heapGrowthBytes} bytes`)
  t.end()
})
