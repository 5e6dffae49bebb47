import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  createFolderAtomic,
  removeLeftovers,
  writeErrorFrom,
  writeFileAtomic,
} from '../../src/base/atomic-file.js'

t.test('a file is replaced whole and nothing is left beside it', async (t) => {
  const folder = t.testdir({ 'a.txt': 'old' })
  await writeFileAtomic(join(folder, 'a.txt'), 'new')
  t.equal(readFileSync(join(folder, 'a.txt'), 'utf8'), 'new')
  await writeFileAtomic(join(folder, 'deep', 'er', 'b.bin'), new Uint8Array([1, 2]))
  t.same([...readFileSync(join(folder, 'deep', 'er', 'b.bin'))], [1, 2])
  t.same(readdirSync(folder).sort(), ['a.txt', 'deep'])
})

t.test('a path that cannot be written is one coded error', async (t) => {
  const folder = t.testdir({ file: 'x' })
  await t.rejects(writeFileAtomic(join(folder, 'file', 'below'), 'y'), { code: 'resource.file_unwritable' })
  t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'x')
  const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' })
  t.equal(writeErrorFrom(full, '/x').code, 'resource.disk_full')
})

t.test('a folder appears complete or not at all', async (t) => {
  const folder = t.testdir({ taken: { file: 'x' } })
  await createFolderAtomic(join(folder, 'bundle'), async (inside) => {
    await writeFileAtomic(join(inside, 'manifest.json'), '{}')
    t.notOk(existsSync(join(folder, 'bundle')))
  })
  t.same(readdirSync(join(folder, 'bundle')), ['manifest.json'])
  const fails = createFolderAtomic(join(folder, 'broken'), (inside) => {
    writeFileSync(join(inside, 'half'), 'x')
    return Promise.reject(new TypeError('stopped'))
  })
  await t.rejects(fails, { message: /stopped/ })
  await t.rejects(
    createFolderAtomic(join(folder, 'taken'), () => Promise.resolve()),
    { code: 'resource.file_unwritable' },
  )
  t.same(readdirSync(folder).sort(), ['bundle', 'taken'])
  t.same(readdirSync(join(folder, 'taken')), ['file'])
})

t.test('what cut-off writes left is removed, other files stay', async (t) => {
  const folder = t.testdir({ '.a.txt.1.tmp': 'x', '.b.2.tmp': { c: 'x' }, '.hidden': 'x', 'a.tmp': 'x' })
  t.equal(await removeLeftovers(folder), 2)
  t.same(readdirSync(folder).sort(), ['.hidden', 'a.tmp'])
  t.equal(await removeLeftovers(join(folder, 'absent')), 0)
})
