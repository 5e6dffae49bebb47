/**
 * The benchmarks by name.
 *
 *     npm run bench              what there is
 *     npm run bench -- NAME ...  runs one; what follows is for it
 */

import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { projectRoot } from '../helpers/paths.js'

const sources = join(projectRoot, 'test', 'bench')
const names = readdirSync(sources)
  .filter((file) => file.endsWith('.ts') && file !== 'main.ts')
  .map((file) => basename(file, '.ts'))

/** The first sentence of the head of a benchmark. */
function purposeOf(name: string): string {
  const text = readFileSync(join(sources, `${name}.ts`), 'utf8')
  const head = /^\/\*\*([\s\S]*?)\*\//.exec(text)?.[1] ?? ''
  return head
    .replaceAll(/\s*\n? \*\s*/g, ' ')
    .trim()
    .split(/(?<=[.:?])\s/, 1)[0]!
}

const [name, ...rest] = process.argv.slice(2)
if (name === undefined || !names.includes(name)) {
  for (const each of names) console.log(`${each.padEnd(18)} ${purposeOf(each)}`)
  process.exitCode = name === undefined ? 0 : 2
} else {
  const file = join(projectRoot, 'dist', 'test', 'bench', `${name}.js`)
  const { status } = spawnSync(process.execPath, [file, ...rest], { stdio: 'inherit' })
  process.exitCode = status ?? 1
}
