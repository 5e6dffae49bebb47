import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { once } from 'node:events'
import t from 'tap'
import { writeConveyor } from '../../../src/cli/training/write-conveyor.js'
import { projectRoot } from '../../helpers/paths.js'

interface Ended {
  readonly code: number | null
  readonly said: string
}

/** Trains until the end, or until `killWhen` becomes true: then it gets no chance to clean up. */
async function train(data: string, out: string, killWhen: () => boolean = () => false): Promise<Ended> {
  const args = ['train', data, '-o', out, '--scale', 'p', '--size', '64', '--epochs', '4', '--batch', '2']
  const child = spawn(
    process.execPath,
    [join(projectRoot, 'dist/src/cli/main.js'), ...args, '--threads', '1', '--measure-every', '100'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const timer = setInterval(() => {
    if (killWhen()) child.kill('SIGKILL')
  }, 2)
  const [code] = (await once(child, 'close')) as [number | null]
  clearInterval(timer)
  return { code, said }
}

t.test('a training that was killed and started again ends with the same model, byte for byte', async (t) => {
  const folder = t.testdir()
  const data = join(folder, 'data')
  await writeConveyor(data, { counts: { train: 8, val: 2, golden: 1 }, size: 64, seed: 3 }, () => undefined)

  const whole = join(folder, 'whole.onnx')
  t.equal((await train(data, whole)).code, 0)

  const broken = join(folder, 'broken.onnx')
  const killed = await train(data, broken, () => existsSync(`${broken}.checkpoint`))
  t.equal(killed.code, null, 'killed in the middle')
  t.notOk(existsSync(broken))

  const resumed = await train(data, broken)
  t.equal(resumed.code, 0)
  t.match(resumed.said, /going on after step \d+ of 16/)
  t.ok(readFileSync(whole).equals(readFileSync(broken)))
  t.notOk(existsSync(`${broken}.checkpoint`))
})
