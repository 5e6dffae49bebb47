/** `yolo-edge runtime` says what there is, and what is wrong with what it is asked for. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runtimePackages } from '../../../src/runtime/packages/runtime-table.js'
import { runCommand } from '../../helpers/processes.js'

t.test('each package of the table is pinned, and its place in it is named', (t) => {
  for (const row of runtimePackages) {
    t.match(row.sha256, /^[0-9a-f]{64}$/, row.file)
    t.ok(row.file.startsWith(`${row.package.replaceAll('-', '_')}-${row.version}-`), row.file)
    t.ok(row.bytes > 1_000_000)
    t.match(row.library, /\.so(?:\.[\d.]+)?$/)
  }
  const names = runtimePackages.map(({ name, arch }) => `${name} ${arch}`)
  t.equal(new Set(names).size, names.length)
  t.end()
})

t.test('list, and wrong inputs', async (t) => {
  const folder = t.testdir()
  const state = ['--set', `state.directory=${folder}`]
  const listed = await runCommand(t, ['runtime', 'list', '--json', ...state])
  t.equal(listed.status, 0, listed.stderr)
  const here = runtimePackages.filter(({ arch }) => arch === process.arch).map(({ name }) => name)
  t.same(
    (JSON.parse(listed.stdout) as { name: string; installed: unknown }[]).map(({ name, installed }) => [
      name,
      installed,
    ]),
    here.map((name) => [name, null]),
  )
  const wheel = join(folder, 'other.whl')
  writeFileSync(wheel, 'something else')
  const cases: readonly (readonly [args: readonly string[], said: RegExp, status: number])[] = [
    [['add', 'abacus'], /runtime abacus is not published for \w+, expected one of .*webgpu/, 2],
    [
      ['add', 'webgpu', '--from', wheel],
      /other\.whl is not onnxruntime-ep-webgpu .*: it has 14 bytes, expected/,
      4,
    ],
    [['add', 'webgpu', '--from', '/no/such'], /cannot read \/no\/such/, 2],
    [['add', 'webgpu', '--precision', 'half'], /--precision half: expected one of float32, any/, 2],
    [['remove', 'webgpu'], /runtime webgpu is not there/, 2],
  ]
  for (const [args, said, expected] of cases) {
    const { status, stderr } = await runCommand(t, ['runtime', ...args, ...state])
    t.match(stderr, said, args.join(' '))
    t.equal(status, expected, args.join(' '))
  }
})
