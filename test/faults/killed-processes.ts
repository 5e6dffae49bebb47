/** Real processes killed with SIGKILL on a real disk: one case for each row of the transition table. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256Of } from '../../src/base/digest.js'
import { seededRandom } from '../../src/base/random.js'
import { generateKeys } from '../../src/protocol/keys.js'
import { type Course, coursesOfTable } from './courses.js'
import type { MatrixFailure, MatrixResult } from './fault-matrix.js'
import type { KilledRun } from './killed-device.js'

interface Rest {
  readonly isSettled: boolean
  readonly problems: readonly string[]
  readonly activeVersion?: string
  readonly files: readonly string[]
}

const deviceFile = new URL('./killed-device.js', import.meta.url).pathname

/** Runs one process. Returns what it says at rest, or the signal that ended it. */
async function runProcess(run: KilledRun): Promise<Rest | string> {
  const child = spawn(process.execPath, [deviceFile, JSON.stringify(run)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  let complaint = ''
  child.stdout.on('data', (piece: Buffer) => (said += piece.toString()))
  child.stderr.on('data', (piece: Buffer) => (complaint += piece.toString()))
  const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  if (signal !== null) return signal
  return said === '' ? `no answer: ${complaint}` : (JSON.parse(said) as Rest)
}

async function playKill(course: Course, point: number, privatePem: string): Promise<string[]> {
  const root = await mkdtemp(join(tmpdir(), 'yolo-edge-faults-'))
  const base = { root, privatePem, course: undefined, point: undefined }
  try {
    const first = await runProcess({ ...base, wished: 1 })
    if (typeof first === 'string') return [`the first version: ${first}`]
    const killed = await runProcess({ ...base, wished: 2, course: course.name, point })
    if (killed !== 'SIGKILL') return [`expected a kill, got ${JSON.stringify(killed)}`]
    const wished = course.supersededIn === undefined ? 2 : 3
    const rest = await runProcess({ ...base, wished, course: lastingCourse(course) })
    return typeof rest === 'string' ? [rest] : await problemsOfRest(rest, root, course)
  } finally {
    await rm(root, { recursive: true })
  }
}

/** What is wrong with the world for good goes on after the kill; what was wrong once has happened. */
function lastingCourse({ failsAlways }: Course): string | undefined {
  const lasting = ({ failsAlways: state, from, event }: Course): boolean =>
    state === from && event === 'failed'
  return failsAlways === undefined
    ? undefined
    : coursesOfTable().find((course) => course.failsAlways === failsAlways && lasting(course))?.name
}

async function problemsOfRest(rest: Rest, root: string, course: Course): Promise<string[]> {
  const problems = [...rest.problems]
  if (!rest.isSettled) problems.push('does not come to rest')
  if (rest.activeVersion !== course.finalVersion)
    problems.push(`${rest.activeVersion ?? 'nothing'} is active, expected ${course.finalVersion}`)
  for (const name of rest.files) {
    const found = sha256Of(await readFile(join(root, 'blobs', name)))
    if (found !== name) problems.push(`file ${name} is not what its name says`)
  }
  return problems
}

/** Plays each `stride`-th row; the point of the kill is drawn from `journalChanges` + 1. */
export async function playKilledProcesses(stride: number, journalChanges: number): Promise<MatrixResult> {
  const random = seededRandom(1)
  const { privatePem } = generateKeys()
  const failures: MatrixFailure[] = []
  let cases = 0
  for (const [index, course] of coursesOfTable().entries()) {
    const point = random.integer(journalChanges + 1)
    if (index % stride !== 0) continue
    cases++
    const problems = await playKill(course, point, privatePem)
    if (problems.length > 0)
      failures.push({ name: `${course.name}: SIGKILL after ${point} changes`, problems })
  }
  return { cases, failures }
}
