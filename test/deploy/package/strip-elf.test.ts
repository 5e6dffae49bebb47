/** Cut libraries still load, and what is no library is left alone. */

import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { stripElf } from '../../../deploy/package/strip-elf.js'
import { projectRoot } from '../../helpers/paths.js'

const libraries = join(projectRoot, 'node_modules/onnxruntime-node/bin/napi-v6', 'linux', process.arch)

/** Names of the sections of an ELF file, read independently of the code under test: names are searched as text. */
function hasSection(file: Buffer, name: string): boolean {
  return file.includes(`\0${name}\0`, 0, 'latin1')
}

t.test('a library without its symbols still loads', { skip: process.platform !== 'linux' }, (t) => {
  const folder = t.testdir()
  for (const name of readdirSync(libraries)) cpSync(join(libraries, name), join(folder, name))
  const path = join(folder, 'onnxruntime_binding.node')
  const whole = readFileSync(path)
  const cut = stripElf(whole)
  t.ok(hasSection(whole, '.symtab'), 'there was something to cut')
  t.notOk(hasSection(cut, '.symtab'))
  t.ok(hasSection(cut, '.dynsym'), 'what the loader reads stays')
  t.ok(cut.length < whole.length)
  t.same(stripElf(cut), cut, 'a second time changes nothing')
  writeFileSync(path, cut)
  const script = `process.stdout.write(Object.keys(require(${JSON.stringify(path)})).join())`
  const loaded = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' })
  t.match(loaded, /InferenceSession/)
  t.end()
})

t.test('what is no ELF file, or a damaged one, is returned as it is', (t) => {
  const file = readFileSync(join(libraries, 'onnxruntime_binding.node'))
  const beyond = Buffer.from(file)
  beyond.writeBigUInt64LE(BigInt(file.length), 40)
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from('text'),
    Buffer.alloc(4096),
    file.subarray(0, 4096),
    beyond,
  ])
    t.same(stripElf(bytes), bytes)
  t.end()
})
