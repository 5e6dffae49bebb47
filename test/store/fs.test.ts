import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { DoubleRecord } from '../../src/store/double-record.js'
import { nodeFileSystem } from '../../src/store/fs.js'
import { LossyFileSystem } from '../helpers/lossy-fs.js'

t.test('bytes are read and written where they belong', async (t) => {
  const path = join(t.testdir(), 'file')
  const file = await nodeFileSystem.open(path, 'update')
  await file.write(Buffer.from('abcdef'), 0)
  await file.write(Buffer.from('XY'), 3)
  await file.sync()
  t.equal(await file.sizeBytes(), 6)
  const into = Buffer.alloc(4)
  t.equal(await file.read(into, 2), 4)
  t.equal(into.toString(), 'cXYf')
  t.equal(await file.read(Buffer.alloc(10), 4), 2, 'as many as there are')
  t.equal(await file.read(Buffer.alloc(1), 9), 0)
  await file.truncate(2)
  t.equal(await file.sizeBytes(), 2)
  await file.close()
  t.equal(await nodeFileSystem.sizeOf(path), 2)
  t.equal(await nodeFileSystem.sizeOf(`${path}-absent`), undefined)
  await t.rejects(nodeFileSystem.open(`${path}-absent`, 'read'), { code: 'ENOENT' })
})

t.test('folders are made, listed and synced; what is absent is no error where it need not be', async (t) => {
  const folder = join(t.testdir(), 'a', 'b')
  t.same(await nodeFileSystem.list(folder), [])
  await nodeFileSystem.makeFolder(folder)
  await nodeFileSystem.makeFolder(folder)
  writeFileSync(join(folder, 'one'), '1')
  await nodeFileSystem.rename(join(folder, 'one'), join(folder, 'two'))
  await nodeFileSystem.syncFolder(folder)
  t.same(await nodeFileSystem.list(folder), ['two'])
  await nodeFileSystem.remove(join(folder, 'two'))
  await nodeFileSystem.remove(join(folder, 'two'))
  t.same(await nodeFileSystem.list(folder), [])
})

t.test('the newer of two copies counts, and they are written in turn', async (t) => {
  const files = new LossyFileSystem()
  await files.makeFolder('/state')
  const kind = { kind: 'test', format: 1 } as const
  const open = (): DoubleRecord => new DoubleRecord(files, '/state/record', kind)
  t.same(await open().read(), { state: 'absent' })
  const record = open()
  for (const value of [{ n: 1 }, { n: 2 }, { n: 3 }]) {
    await record.write(value)
    t.same(await open().read(), { state: 'valid', value, damaged: false })
  }
  await open().write({ n: 4 })
  t.same(await open().read(), { state: 'valid', value: { n: 4 }, damaged: false })
  t.same((await files.list('/state')).sort(), ['record.a', 'record.b'])
})
