/** `search` killed again and again: what was measured is not measured again, and the bundle holds the same models. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { writeConveyor } from '../../src/cli/training/write-conveyor.js'
import { projectRoot } from '../helpers/paths.js'
import { runCommand } from '../helpers/processes.js'

/** A search of the project's own model with `data`. */
function argumentsOf(data: string, out: string): readonly string[] {
  return [
    ...['search', join(projectRoot, 'models/parts/parts.onnx'), '--out', out],
    ...['--calib', join(data, 'train/images'), '--val', join(data, 'val')],
    ...['--budget', 'map-drop<=2', '--for', 'arm64', '--threads', '1', '--model-version', '1.0.0'],
  ]
}

interface Report {
  readonly trials: readonly { readonly id: string; readonly sha256: string; readonly map: number }[]
}

/** What was tried, the digest of each model and its accuracy; times differ from run to run. */
function trialsOf(bundle: string): readonly unknown[] {
  const { trials } = JSON.parse(readFileSync(join(bundle, 'report.json'), 'utf8')) as Report
  return trials.map(({ id, sha256, map }) => [id, sha256, map])
}

t.setTimeout(1_800_000)

t.test('a search that was killed again and again ends with the same models and accuracies', async (t) => {
  const folder = t.testdir()
  const data = join(folder, 'data')
  await writeConveyor(data, { counts: { train: 8, val: 12, golden: 1 }, size: 160, seed: 4 }, () => undefined)

  const whole = join(folder, 'whole')
  t.equal((await runCommand(t, argumentsOf(data, whole))).status, 0)

  const broken = join(folder, 'broken')
  const record = `${broken}.search`
  const filesIn = (path: string): readonly string[] => (existsSync(path) ? readdirSync(path) : [])
  const recorded = (): number =>
    filesIn(join(record, 'trials')).filter((name) => name.endsWith('.json')).length
  const moments: readonly (readonly [about: string, reached: () => boolean])[] = [
    ['before anything is recorded', () => existsSync(join(record, 'search.json'))],
    ['between two trials', () => recorded() >= 2],
    ['in the middle of a pruned one', () => filesIn(record).some((name) => name.startsWith('pruned'))],
    ['when all are measured in turns', () => recorded() >= trialsOf(whole).length],
  ]
  let done = 0
  for (const [about, reached] of moments) {
    const killed = await runCommand(t, argumentsOf(data, broken), reached)
    t.equal(killed.status, 'SIGKILL', about)
    t.notOk(existsSync(broken), 'no bundle yet')
    if (done > 0) t.match(killed.stderr, `going on after ${done} candidates`)
    done = recorded()
  }
  const ended = await runCommand(t, argumentsOf(data, broken))
  t.equal(ended.status, 0)
  t.match(ended.stderr, `going on after ${done} candidates`)
  t.notOk(existsSync(record), 'the record went with the bundle')

  t.strictSame(trialsOf(broken), trialsOf(whole))
})
