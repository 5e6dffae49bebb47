import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { writeConveyor } from '../../../src/cli/training/write-conveyor.js'
import { runCommand } from '../../helpers/processes.js'

function argumentsOf(data: string, out: string): readonly string[] {
  return [
    ...['train', data, '-o', out, '--scale', 'p', '--size', '64', '--epochs', '4', '--batch', '2'],
    ...['--threads', '1', '--measure-every', '100'],
  ]
}

t.test('a training that was killed and started again ends with the same model, byte for byte', async (t) => {
  const folder = t.testdir()
  const data = join(folder, 'data')
  await writeConveyor(data, { counts: { train: 8, val: 2, golden: 1 }, size: 64, seed: 3 }, () => undefined)

  const whole = join(folder, 'whole.onnx')
  t.equal((await runCommand(t, argumentsOf(data, whole))).status, 0)

  const broken = join(folder, 'broken.onnx')
  const killed = await runCommand(t, argumentsOf(data, broken), () => existsSync(`${broken}.checkpoint`))
  t.equal(killed.status, 'SIGKILL', 'killed in the middle')
  t.notOk(existsSync(broken))

  const resumed = await runCommand(t, argumentsOf(data, broken))
  t.equal(resumed.status, 0)
  t.match(resumed.stderr, /going on after step \d+ of 16/)
  t.ok(readFileSync(whole).equals(readFileSync(broken)))
  t.notOk(existsSync(`${broken}.checkpoint`))
})
