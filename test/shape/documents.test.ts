/** What documents say of files and commands: every path that they name is there, and every command is explained. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { projectRoot } from '../helpers/paths.js'

const documents = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'docs/ADDING.md',
  'docs/BEHAVIOURS.md',
] as const
const textOf = (path: string): string => readFileSync(join(projectRoot, path), 'utf8')

/** Files that the examples of docs/ADDING.md add; test/slow/adding.test.ts makes them. */
const added = new Set(
  ['operator', 'camera', 'provider', 'topic', 'setting', 'command', 'view'].flatMap((name) =>
    [
      ...textOf(`test/slow/adding/${name}.ts`).matchAll(/path: '([^']+)',\n\s+notice: [^\n]+\n\s+change: `/g),
    ].map(([, path = '']) => path),
  ),
)

const folders = 'src|test|docs|config|deploy|findings|models|protocol|systemd'

/** Paths from the root of the checkout in back quotes, without the line behind a colon. */
function quotedPaths(text: string): readonly string[] {
  const quoted = [...text.matchAll(new RegExp(`\`((?:${folders})/[A-Za-z0-9_./-]*)`, 'g'))]
  return quoted.map(([, path = '']) => path.replace(/[.]$/, ''))
}

/** Targets of links to files, from the root of the checkout. */
function linkedPaths(document: string, text: string): readonly string[] {
  return [...text.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)].map(([, target = '']) =>
    join(dirname(document), target),
  )
}

for (const document of documents) {
  t.test(`every file that ${document} names is there`, (t) => {
    const text = textOf(document)
    const paths = new Set([...quotedPaths(text), ...linkedPaths(document, text)])
    for (const path of paths) if (!added.has(path)) t.ok(existsSync(join(projectRoot, path)), path)
    t.ok(paths.size > 0, `${paths.size} paths`)
    t.end()
  })
}

t.test('every folder of src has its paragraph in ARCHITECTURE.md', (t) => {
  const text = textOf('ARCHITECTURE.md')
  const names = readdirSync(join(projectRoot, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
  t.ok(names.includes('protocol'))
  for (const name of names) t.match(text, new RegExp(`^\\| \`src/${name}\` `, 'm'), name)
  t.end()
})

t.test('every command stands in the tables of README.md, and no other', (t) => {
  const files = readdirSync(join(projectRoot, 'src', 'cli', 'commands')).map((name) =>
    name.replace(/\.ts$/, ''),
  )
  const rows = new Set(
    [...textOf('README.md').matchAll(/^\| `([a-z-]+)[^|]*` +\|/gm)].map(([, name = '']) => name),
  )
  t.ok(files.length > 20)
  for (const name of files) t.ok(rows.has(name), name)
  for (const name of rows) t.ok(files.includes(name), name)
  t.end()
})
