/** `deploy/install.sh` into a folder: what it puts there starts, and a second run changes nothing. */

import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { projectRoot } from '../helpers/paths.js'

t.setTimeout(1_200_000)

t.test('installed twice', (t) => {
  const folder = t.testdir()
  const install = (...args: readonly string[]): string =>
    execFileSync('sh', [join(projectRoot, 'deploy/install.sh'), '--prefix', folder, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  const files = (): readonly string[] =>
    readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) => {
      const path = join(entry.parentPath, entry.name)
      return entry.isFile() ? `${path} ${statSync(path).ino} ${statSync(path).mtimeMs}` : path
    })
  t.match(install(), /is installed in .*; settings: /)
  const program = join(folder, 'usr/bin/yolo-edge')
  t.match(execFileSync(program, ['--version'], { encoding: 'utf8' }), /^\d+\.\d+\.\d+/)
  const before = files()
  t.match(install(), /already: nothing was changed/)
  t.same(files(), before, 'the very same files')
  t.match(install('--uninstall', '--purge'), /is removed/)
  t.same(
    files().filter((path) => path.includes('yolo-edge.service') || path.includes('lib/yolo-edge')),
    [],
  )
  t.end()
})
