import t from 'tap'
import { exportNames, readExport } from '../helpers/exports.js'
import { fuzzImport } from '../helpers/fuzz-import.js'

t.test('damaged model files are graphs or coded refusals', (t) => {
  const { crashes, refused } = fuzzImport(exportNames.map(readExport), 400, 1_000_000)
  t.same(crashes, [])
  t.ok(Object.keys(refused).length > 1, JSON.stringify(refused))
  t.end()
})
