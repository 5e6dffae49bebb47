/** Archives are unpacked below a folder and nowhere else; damaged ones are told. */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { unpackZip } from '../../src/base/zip-file.js'
import { type ZipFile, zipOf } from '../helpers/zip.js'

const text = Buffer.from('some text, some text, some text')

function archived(t: Test, files: readonly ZipFile[]): { readonly archive: string; readonly folder: string } {
  const folder = t.testdir()
  const archive = join(folder, 'a.zip')
  writeFileSync(archive, zipOf(files))
  return { archive, folder: join(folder, 'out') }
}

t.test('wanted files come out as they went in', async (t) => {
  const { archive, folder } = archived(t, [
    { name: 'a/b.txt', bytes: text },
    { name: 'a/stored.txt', bytes: text, isStored: true },
    { name: 'a/empty.txt', bytes: Buffer.alloc(0), isStored: true },
    { name: 'a/left.py', bytes: text },
    { name: 'a/', bytes: Buffer.alloc(0), isStored: true },
  ])
  const names = await unpackZip(archive, folder, (name) => !name.endsWith('.py'))
  t.same(names, ['a/b.txt', 'a/stored.txt', 'a/empty.txt'])
  t.same(readdirSync(join(folder, 'a')).sort(), ['b.txt', 'empty.txt', 'stored.txt'])
  for (const name of ['b.txt', 'stored.txt']) t.same(readFileSync(join(folder, 'a', name)), text)
})

t.test('a file that would lie outside is refused', async (t) => {
  for (const name of ['../x', '/x', 'a/../../x', 'a\\x', 'a//x']) {
    const { archive, folder } = archived(t, [{ name, bytes: text }])
    await t.rejects(
      unpackZip(archive, folder, () => true),
      { code: 'integrity.size_mismatch', message: /lies outside/ },
      name,
    )
    t.notOk(existsSync(join(folder, '../x')))
  }
})

t.test('what is damaged or no archive is told', async (t) => {
  const { archive, folder } = archived(t, [{ name: 'a', bytes: text, said: 5 }])
  const refused = (said: RegExp): Promise<unknown> =>
    t.rejects(
      unpackZip(archive, folder, () => true),
      { code: 'integrity.size_mismatch', message: said },
      String(said),
    )
  await refused(/a has 31 bytes, expected 5|a is damaged/)
  const whole = zipOf([{ name: 'a', bytes: text }])
  writeFileSync(archive, whole.subarray(0, whole.length - 30))
  await refused(/is no zip file, or was cut off/)
  writeFileSync(archive, 'text')
  await refused(/is no zip file/)
  const spoiled = Buffer.from(whole)
  spoiled.fill(0xff, 31, 40)
  writeFileSync(archive, spoiled)
  await refused(/a is damaged|a has/)
})
