/**
 * Gates on speed beside busy neighbors: does a good model stay, does a slow one go, while every core is taken by somebody else?
 *
 *     npm run bench -- under-load [--rounds N] [--only demo|soak|trial] [--neighbors N]
 *
 * As many endless loops as there are cores (or `--neighbors`) run all the time. Each round asks three times:
 * the demo, whose model has to serve in the end; a model that takes five times as long on what the camera shows as on what it was
 * tried with, which has to be rolled back by its soak; and one that always takes five times as long as the serving one, which
 * has to be refused by its trial. Fails when one of them ends otherwise.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import sharp from 'sharp'
import { AgentLab } from '../helpers/agent-lab.js'
import { projectRoot } from '../helpers/paths.js'
import { twoSpeedDetector, type TwoSpeedOptions } from '../helpers/two-speed-detector.js'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
    neighbors: { type: 'string', default: String(availableParallelism()) },
  },
})
const rounds = Number(values.rounds)
const demoSeconds = 8
const size = 64
const slowdown = 5
const rows = 100
const waitMs = 300_000

/** What is asked in each round; returns why the answer is wrong, or undefined. */
type Question = (round: number) => Promise<string | undefined>

/** Ends with its parent, however that ends. */
const loop = 'const parent = process.ppid; while (process.ppid === parent);'
const neighbors: ChildProcess[] = []
for (let index = 0; index < Number(values.neighbors); index++)
  neighbors.push(spawn(process.execPath, ['-e', loop], { stdio: 'ignore' }))

async function askDemo(): Promise<string | undefined> {
  const main = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
  const child = spawn(process.execPath, [main, 'demo', '--duration', String(demoSeconds), '--json'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)))
  const [status] = (await once(child, 'close')) as [number | null]
  return status === 0 ? undefined : `the demo ended with status ${status}: ${said.trim().split('\n').at(-1)}`
}

const lab = await AgentLab.start({
  // Filled in below; white all over.
  source: join(projectRoot, 'dist', 'under-load-pictures') + '#loop=true&fps=15',
  settings: {
    'acceptance.soak_s': 10,
    'acceptance.soak_window_s': 5,
    'acceptance.latency_factor_max': 3,
    'acceptance.active_latency_factor_max': 3,
    'acceptance.attempts_max': 1,
    'selection.trial_runs': 30,
    'inference.threads': 0,
  },
})

async function drawPictures(): Promise<void> {
  const folder = join(projectRoot, 'dist', 'under-load-pictures')
  mkdirSync(folder, { recursive: true })
  const background = { r: 255, g: 255, b: 255 }
  const picture = sharp({ create: { width: size, height: size, channels: 3, background } })
  writeFileSync(join(folder, 'white.png'), await picture.png().toBuffer())
}

async function publish(
  version: string,
  options: Omit<TwoSpeedOptions, 'size' | 'brightness'>,
): Promise<void> {
  const path = join(lab.folder, `${version}.onnx`)
  writeFileSync(path, twoSpeedDetector({ size, brightness: 0.9, ...options }))
  await lab.publish(version, [path])
  await lab.wish(version)
}

/** Waits until the deployment of `version` has ended; tells how, as its code, and what serves. */
async function endOf(version: string): Promise<{ readonly code: string; readonly serves: string }> {
  await lab.until(
    `the deployment of ${version} ends`,
    ({ deployment }) => deployment?.version === version && deployment.state === 'idle',
    waitMs,
  )
  const { deployment, reported } = lab.observed
  return { code: deployment?.error?.code ?? 'committed', serves: reported?.active?.version ?? 'nothing' }
}

const standard = '1.0.0'
let salt = 0
function askFor(name: string, code: string, options: Pick<TwoSpeedOptions, 'rows' | 'moreRows'>): Question {
  return async (round) => {
    const version = `2.${salt}.${round}`
    await publish(version, { ...options, salt: ++salt })
    const end = await endOf(version)
    if (end.code === code && end.serves === standard) return undefined
    return `the model that is slow ${name} ended with ${end.code}, expected ${code}; ${end.serves} serves`
  }
}

const questions: Readonly<Record<string, Question>> = {
  demo: askDemo,
  soak: askFor('while it serves', 'deployment.soak_failed', { rows, moreRows: rows * (slowdown - 1) }),
  trial: askFor('in its trial', 'deployment.latency_high', { rows: rows * slowdown, moreRows: 0 }),
}
const names = values.only === '' ? Object.keys(questions) : values.only.split(',')
const passed = new Map<string, number>(names.map((name) => [name, 0]))
try {
  if (names.some((name) => name !== 'demo')) {
    await drawPictures()
    await lab.startAgent()
    await publish(standard, { rows, moreRows: 0, salt: 0 })
    await lab.untilServing(standard, waitMs)
  }
  for (let round = 0; round < rounds; round++)
    for (const name of names) {
      const problem = await questions[name]!(round)
      if (problem === undefined) passed.set(name, passed.get(name)! + 1)
      console.log(`${round + 1} ${name}: ${problem ?? 'as it should'}`)
    }
} finally {
  await lab.stop()
  for (const neighbor of neighbors) neighbor.kill('SIGKILL')
}
for (const [name, count] of passed)
  console.log(`${name}: ${count} of ${rounds} beside ${neighbors.length} busy loops`)
if ([...passed.values()].some((count) => count < rounds)) process.exitCode = 1
