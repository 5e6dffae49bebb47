/** The published runtime of OpenVINO: fetched, proven, used by the doctor, removed without a trace. Needs pip and its package index. */

import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import t from 'tap'
import { runCommand } from '../helpers/processes.js'

t.setTimeout(1_200_000)

const hasPip = spawnSync('python3', ['-m', 'pip', '--version']).status === 0
const skip = process.arch !== 'x64' ? 'it is published for x86-64' : !hasPip && 'there is no pip'

t.test('runtime add openvino', { skip }, async (t) => {
  const folder = t.testdir()
  const state = ['--set', `state.directory=${folder}`]
  const added = await runCommand(t, ['runtime', 'add', 'openvino', '--json', ...state])
  t.equal(added.status, 0, added.stderr)
  t.match(JSON.parse(added.stdout), { provider: 'openvino', precision: 'float32' })
  const listed = await runCommand(t, ['runtime', 'list', ...state])
  t.match(listed.stdout, /openvino +1\.24\.1 +there +float32/)
  const asked = ['--set', 'inference.providers=openvino,cpu', '--no-contact', '--json']
  const doctor = await runCommand(t, ['doctor', ...state, ...asked])
  const { findings } = JSON.parse(doctor.stdout) as { findings: { subject: string; state: string }[] }
  t.equal(findings.find(({ subject }) => subject === 'provider openvino')?.state, 'ok', doctor.stdout)
  const removed = await runCommand(t, ['runtime', 'remove', 'openvino', ...state])
  t.equal(removed.status, 0, removed.stderr)
  t.same(readdirSync(folder), [])
})
