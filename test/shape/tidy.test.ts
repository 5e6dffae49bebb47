/** What linters cannot see: every source file is explained and tested, and things stay in their one place. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import t from 'tap'
import { projectRoot } from '../helpers/paths.js'

const root = join(projectRoot, 'src')
const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('_pb.ts'))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)))
  .sort()
const textOf = (file: string): string => readFileSync(join(root, file), 'utf8')

/** Folders in which each file has its own test; in the others several files share one. */
const testedFileByFile = ['base', 'config', 'cli/demo']

/** Tested through another test: the reason stands beside the file. */
const testedElsewhere = new Map<string, string>([
  [
    'runtime/session-worker.ts',
    'runs in a thread: its sessions are tested through tensor-session and detector',
  ],
  ['cli/main.ts', 'started as a process in test/e2e'],
  ['base/logger.ts', 'an interface and the logger that says nothing; used in test/base/lifecycle'],
  ['config/schema.ts', 'a table; its rows are checked in test/config/load and test/config/reference'],
  ['config/formats.ts', 'checked through the settings that use them, in test/config/load'],
])

/** A file with nothing to run: types and constants only. */
function hasOnlyDeclarations(text: string): boolean {
  return !/\b(function|class)\b|=>\s*[{(\w]/.test(text.replaceAll(/\/\*[^]*?\*\/|\/\/.*$/gm, ''))
}

t.test('every source file begins by saying what it is for', (t) => {
  for (const file of files) t.match(textOf(file), /^(#!.*\n)?\/\*\*/, file)
  t.end()
})

t.test('every source file of these folders that does something has its own test', (t) => {
  for (const file of files) {
    if (!testedFileByFile.some((folder) => file.startsWith(`${folder}/`)) || testedElsewhere.has(file))
      continue
    if (hasOnlyDeclarations(textOf(file))) continue
    const test = join(projectRoot, 'test', file.replace(/\.ts$/, '.test.ts'))
    t.ok(existsSync(test), `${file} has ${relative(projectRoot, test)}`)
  }
  for (const file of testedElsewhere.keys()) t.ok(files.includes(file), `${file} still exists`)
  t.end()
})

t.test('topics are built in protocol and nowhere else', (t) => {
  for (const file of files.filter((name) => !name.startsWith('protocol/'))) {
    t.notMatch(textOf(file), /['"`](models|blobs|channels|devices)\/[^'"`]*\$?\{?/, file)
  }
  t.end()
})

t.test('nothing is left for later', (t) => {
  for (const file of files) t.notMatch(textOf(file), /\b(TODO|FIXME|XXX|HACK)\b/, file)
  t.end()
})

t.test('only the session worker runs a session', (t) => {
  const callers = files.filter(
    (file) => textOf(file).includes("from 'onnxruntime-node'") && textOf(file).includes('.run('),
  )
  for (const file of callers) t.match(file, /^runtime\//)
  t.end()
})

t.test('a pass says what it changes, when, and how exactly', (t) => {
  for (const file of files.filter((name) => name.startsWith('compress/passes/'))) {
    for (const word of ['Before', 'After', 'Condition'])
      t.match(textOf(file), new RegExp(`\\b${word}`), `${file}: ${word}`)
  }
  t.end()
})

t.test('a folder holds at most 15 files side by side, or ARCHITECTURE.md says why it holds more', (t) => {
  const text = readFileSync(join(projectRoot, 'ARCHITECTURE.md'), 'utf8')
  const excused = [...text.matchAll(/^\| `(src\/[^`]+)` +\| one /gm)].map(([, folder]) => folder!)
  const folders = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map(({ parentPath }) => relative(projectRoot, parentPath))
  const counts = new Map<string, number>()
  for (const folder of folders) counts.set(folder, (counts.get(folder) ?? 0) + 1)
  const large = [...counts].filter(([, count]) => count > 15).map(([folder]) => folder)
  t.same(excused.toSorted(), large.toSorted())
  t.end()
})
