/** `npm run findings`, with scripts that hold and that do not; and each script of the project has its row in docs/BEHAVIOURS.md. */

import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { projectRoot } from '../helpers/paths.js'

const runner = join(projectRoot, 'deploy', 'findings.mjs')

t.test('every script is run, and what no longer holds is named', (t) => {
  const folder = t.testdir({
    'broker-loses.sh': 'echo "1020 of 1500 came"\nexit 0\n',
    'runtime-wraps.sh': 'echo "bias 1.000"\nexit 1\n',
    'notes.txt': 'no script',
  })
  const run = (...names: string[]): { readonly status: number | null; readonly stdout: string } =>
    spawnSync(process.execPath, [runner, ...names], {
      encoding: 'utf8',
      env: { ...process.env, FINDINGS: folder },
    })
  const all = run()
  t.equal(all.status, 1)
  t.match(all.stdout, /^broker-loses: holds \(\d+ s\)\n {4}1020 of 1500 came\n/)
  t.match(all.stdout, /^runtime-wraps: DOES NOT HOLD \(\d+ s\)\n {4}bias 1\.000\n/m)
  t.match(all.stdout, /1 of 2 hold; look at runtime-wraps\n$/)
  const one = run('broker-loses')
  t.equal(one.status, 0)
  t.match(one.stdout, /1 of 1 hold\n$/)
  t.equal(run('nothing').status, 2)
  t.end()
})

t.test('each finding has a row that says what the product does about it', (t) => {
  const page = readFileSync(join(projectRoot, 'docs', 'BEHAVIOURS.md'), 'utf8')
  const names = readdirSync(join(projectRoot, 'findings')).filter((name) => name.endsWith('.sh'))
  t.ok(names.length > 0)
  for (const name of names) t.ok(page.includes(`findings/${name}`), name)
  t.end()
})
