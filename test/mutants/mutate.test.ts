import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { countAt, readCoverage } from './coverage.js'
import { applied, mutantsOf } from './mutate.js'

const changed = (source: string): readonly string[] =>
  mutantsOf(source).map((mutant) => applied(source, mutant))

t.test('one change at one place each', (t) => {
  t.same(changed('const x = a <= b'), ['const x = a < b'])
  t.same(changed('const x = a ?? 7'), ['const x = a', 'const x = a ?? (7 + 1)'])
  t.same(changed('if (!a) b()'), ['if (false) b()', 'if (a) b()', 'if (!a) ;'])
  t.same(changed('const x = list.filter(f).some(g)'), [
    'const x = list.some(g)',
    'const x = list.filter(f).every(g)',
  ])
  t.same(changed('throw new Error("no")'), [';'])
  t.same(changed('const x = a ? { b } : c'), ['const x = (c)'])
  t.same(changed('await save(true)'), [';', 'await save(false)'])
  t.end()
})

t.test('texts, imports and what is only told stay', (t) => {
  for (const source of [
    "import { a } from './a.js'",
    "const x = 'a' + b + 'c'",
    'const x = `${a + 1}`',
    "const x = a ? 'one' : 'two'",
    "this.#logger.info({}, 'said')",
  ])
    t.same(changed(source), [], source)
  t.end()
})

t.test('a place has run when it did in any process', (t) => {
  const folder = mkdtempSync(join(t.testdir(), 'coverage'))
  const script = (count: number): string =>
    JSON.stringify({
      result: [
        {
          url: 'file:///a.js',
          functions: [
            {
              ranges: [
                { startOffset: 0, endOffset: 100, count: 1 },
                { startOffset: 20, endOffset: 40, count },
              ],
            },
          ],
        },
      ],
    })
  writeFileSync(join(folder, 'coverage-1.json'), script(0))
  t.equal(countAt(readCoverage(folder), 'file:///a.js', 30), 0)
  t.equal(countAt(readCoverage(folder), 'file:///a.js', 50), 1)
  writeFileSync(join(folder, 'coverage-2.json'), script(3))
  t.equal(countAt(readCoverage(folder), 'file:///a.js', 30), 3)
  t.equal(countAt(readCoverage(folder), 'file:///b.js', 30), 0)
  t.end()
})
