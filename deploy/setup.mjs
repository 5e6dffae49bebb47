// Makes a checkout runnable with Node and npm alone: installs packages and compiles, each only when out of date.
// Invariant: after exit 0, dist/ matches the sources and node_modules matches package-lock.json.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const say = (line) => process.stderr.write(`${line}\n`)

function run(what, command, args) {
  say(`setup: ${what}`)
  const shell = process.platform === 'win32'
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], shell })
  if (result.status === 0) return
  say(
    `setup: ${what} failed: ${command} ${args.join(' ')} ended with ${result.status ?? result.signal ?? result.error?.message}`,
  )
  process.exit(1)
}

const lockDigest = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .update(process.versions.modules)
  .digest('hex')
const stamp = join(root, 'node_modules', '.yolo-edge-setup')
if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lockDigest) {
  run('installing packages', 'npm', ['ci', '--no-audit', '--no-fund'])
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, lockDigest)
}
run('compiling', process.execPath, [
  join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
  '-p',
  'tsconfig.json',
])
run('building the page of the dashboard', process.execPath, [join(root, 'deploy', 'build-page.mjs')])
