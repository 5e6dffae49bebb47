// Runs tests seconds after a change: `npm run quick -- test/base/backoff.test.ts ...`.
// What is newer than its compiled form is translated file by file, without a look at types; that is for `npm run check:types`.
// Invariant: dist/ holds the sources as they are, also after a source went back to what it was: the compiler's own record of what
// it has written is thrown away, so that its next run writes everything.
import { build } from 'esbuild'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const compiledOf = (source) => join(root, 'dist', source.replace(/\.ts$/, '.js'))
const changedMs = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0)

const tests = process.argv.slice(2).map((path) => relative(root, join(process.cwd(), path)))
const unknown = tests.find((path) => !path.endsWith('.test.ts') || !existsSync(join(root, path)))
if (tests.length === 0 || unknown !== undefined) {
  console.error(`quick: ${unknown ?? 'nothing'} is no test, expected files such as test/base/backoff.test.ts`)
  process.exit(2)
}
const outdated = ['src', 'test']
  .flatMap((folder) => readdirSync(join(root, folder), { recursive: true }).map((name) => join(folder, name)))
  .filter((path) => path.endsWith('.ts') && !path.startsWith(join('src', 'dashboard', 'page')))
  .filter((path) => changedMs(join(root, path)) > changedMs(compiledOf(path)))
if (outdated.length > 0) {
  await build({
    absWorkingDir: root,
    entryPoints: outdated,
    outdir: 'dist',
    outbase: '.',
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    sourcemap: true,
    logLevel: 'warning',
  })
  rmSync(join(root, 'dist', '.tsbuildinfo'), { force: true })
}
let status = 0
for (const test of tests) {
  const run = spawnSync(process.execPath, ['--enable-source-maps', compiledOf(test)], { stdio: 'inherit' })
  if (run.status !== 0) status = 1
}
process.exitCode = status
