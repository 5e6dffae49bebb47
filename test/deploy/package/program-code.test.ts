/** The program in few files starts, and has a file for every thread and process that it starts. */

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import { entryPoints, writeProgramCode } from '../../../deploy/package/program-code.js'
import { resourcesOf } from '../../../deploy/package/program-tree.js'
import { targets } from '../../../deploy/package/target.js'
import { projectRoot } from '../../helpers/paths.js'

t.test('every script that is started by its path is an entry point', (t) => {
  const root = join(projectRoot, 'src')
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('/dashboard/page'),
  )
  const started = files.flatMap((entry) => {
    const text = readFileSync(join(entry.parentPath, entry.name), 'utf8')
    return [...text.matchAll(/new URL\('([^']+)\.js', import\.meta\.url\)/g)].map(([, name]) =>
      relative(root, join(entry.parentPath, name!)),
    )
  })
  t.ok(started.length > 0)
  t.same([...new Set([...started, 'cli/main'])].sort(), [...entryPoints].sort())
  t.end()
})

t.test('every file that code names by a path relative to itself goes into the package', (t) => {
  const root = join(projectRoot, 'src')
  const target = targets.find(({ cpu }) => cpu === 'arm64')!
  const laid = [...resourcesOf(target), 'package.json', 'models/parts']
  const named = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .flatMap((entry) => {
      const text = readFileSync(join(entry.parentPath, entry.name), 'utf8')
      const addresses = [...text.matchAll(/new URL\(\s*['`](\.\.\/[^'`]+)['`],\s*import\.meta\.url/g)]
      // dist/src lies one folder deeper than src.
      return addresses.map(([, path]) =>
        path!.replace(/^(?:\.\.\/)+/, '').replace('${platform}-${arch}', 'linux-arm64'),
      )
    })
  t.ok(named.length >= 4)
  t.same(
    named.filter((path) => !laid.includes(path)),
    [],
  )
  for (const path of laid) t.ok(existsSync(join(projectRoot, path)), path)
  t.end()
})

t.test('the program runs from its few files', async (t) => {
  const folder = t.testdir()
  const code = join(folder, 'dist/src')
  const packages = await writeProgramCode(projectRoot, join(projectRoot, 'dist/src'), code)
  t.ok(packages.includes('node_modules/mqtt'), 'it says which packages went in')
  for (const entry of entryPoints) t.ok(existsSync(join(code, `${entry}.js`)), entry)
  symlinkSync(join(projectRoot, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ version: '7.8.9', type: 'module' }))
  const run = (...args: readonly string[]): string =>
    execFileSync(process.execPath, [join(code, 'cli/main.js'), ...args], { encoding: 'utf8' })
  t.equal(run('--version').trim(), '7.8.9', 'it finds its package.json')
  const model = join(projectRoot, 'models/parts/parts-pruned-int8.onnx')
  const picture = join(projectRoot, 'src/dashboard/pictures/fleet-light.png')
  const { pictures } = JSON.parse(run('detect', picture, '-m', model, '--json')) as { pictures: unknown[] }
  t.equal(pictures.length, 1, 'it finds the script of its worker thread, and its native packages')
  const bundle = readdirSync(join(code, 'bundle'))
  t.ok(bundle.length < 100 && bundle.every((name) => name.endsWith('.js')), dirname(code))
})
