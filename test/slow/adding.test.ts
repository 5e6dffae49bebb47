/**
 * docs/ADDING.md, tried: one of each kind is added to a copy of the checkout, place by place.
 *
 *     without the places that the compiler notices    -> it complains in exactly their files
 *     with them, without those that a test notices    -> it is content, and exactly those tests fail
 *     with all                                        -> every nearest test passes
 *
 * That the page lists these places is held by test/shape/adding.test.ts.
 */

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { projectRoot } from '../helpers/paths.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'
import { apply, type Place } from './adding/addition.js'
import { additions } from './adding/all.js'

t.setTimeout(1_800_000)
const places: readonly Place[] = additions.flatMap((addition) => addition.places)

t.test('each place is needed, and noticed by whom the page says', (t) => {
  const root = temporaryFolder(t)
  const made = ['.git', '.tap', 'dist', 'node_modules']
  for (const name of readdirSync(projectRoot).filter((each) => !made.includes(each)))
    cpSync(join(projectRoot, name), join(root, name), { recursive: true })
  symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'))
  mkdirSync(join(root, 'dist'))

  const runNode = (args: readonly string[]): { readonly status: number | null; readonly text: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
    return { status, text: `${stdout}${stderr}` }
  }
  /** Files in which the compiler finds something. */
  const complaints = (): ReadonlySet<string> => {
    const compile = (project: string): string =>
      runNode([join('node_modules', 'typescript', 'bin', 'tsc'), '-p', project, '--pretty', 'false']).text
    const text = compile('tsconfig.json') + compile(join('src', 'dashboard', 'page', 'tsconfig.json'))
    return new Set([...text.matchAll(/^(\S+?)\(\d+,\d+\): error /gm)].map(([, file = '']) => file))
  }
  const runTest = (source: string): { readonly status: number | null; readonly text: string } =>
    runNode(['--enable-source-maps', join('dist', source.replace(/\.ts$/, '.js'))])

  const isByTest = ({ notice }: Place): boolean => notice.startsWith('`')
  const isByCompiler = ({ notice }: Place): boolean => notice === 'the compiler'
  for (const place of places) if (!isByTest(place) && !isByCompiler(place)) apply(root, place)
  const missing = places.filter(isByCompiler)
  t.same(
    [...complaints()].sort(),
    [...new Set(missing.map(({ path, seenIn }) => seenIn ?? path))].sort(),
    'the compiler complains where the page says',
  )

  for (const place of missing) apply(root, place)
  t.same([...complaints()], [], 'the compiler is content')
  const noticing = new Set(places.filter(isByTest).map(({ notice }) => notice.replaceAll('`', '')))
  for (const test of noticing) t.not(runTest(test).status, 0, `${test} notices what is missing`)

  for (const place of places) if (isByTest(place)) apply(root, place)
  t.same([...complaints()], [], 'the compiler is content with all')
  for (const test of new Set([...noticing, ...additions.flatMap(({ tests }) => tests)])) {
    const { status, text } = runTest(test)
    t.equal(status, 0, `${test} ${status === 0 ? '' : text.slice(-3000)}`)
  }
  t.end()
})
