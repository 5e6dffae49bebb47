/** `compress --budget` killed again and again: what was measured is not measured again, and the bundle holds the same models. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { writeConveyor } from '../../src/cli/training/write-conveyor.js'
import { projectRoot } from '../helpers/paths.js'

interface Ended {
  readonly code: number | null
  readonly said: string
}

/** Searches until the end, or until `killWhen` becomes true: then it gets no chance to clean up. */
async function search(data: string, out: string, killWhen: () => boolean = () => false): Promise<Ended> {
  const child = spawn(
    process.execPath,
    [
      ...[
        join(projectRoot, 'dist/src/cli/main.js'),
        'compress',
        join(projectRoot, 'models/parts/parts.onnx'),
      ],
      ...['--calib', join(data, 'train/images'), '--val', join(data, 'val'), '--out', out],
      ...['--budget', 'map-drop<=2', '--for', 'arm64', '--threads', '1'],
      ...['--model-version', '1.0.0'],
    ],
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
  t.equal((await search(data, whole)).code, 0)

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
    const killed = await search(data, broken, reached)
    t.equal(killed.code, null, about)
    t.notOk(existsSync(broken), 'no bundle yet')
    if (done > 0) t.match(killed.said, `going on after ${done} candidates`)
    done = recorded()
  }
  const ended = await search(data, broken)
  t.equal(ended.code, 0)
  t.match(ended.said, `going on after ${done} candidates`)
  t.notOk(existsSync(record), 'the record went with the bundle')

  t.strictSame(trialsOf(broken), trialsOf(whole))
})
