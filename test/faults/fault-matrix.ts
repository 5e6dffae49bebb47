/**
 * The fault matrix, made from the transition table: each row x each point of the journal's write x process killed or power
 * cut x no second fault, or one at some point of the recovery.
 * Run with: npm run test:faults
 */

import { seededRandom } from '../../src/base/random.js'
import type { LossyFileSystem } from '../helpers/lossy-fs.js'
import type { TestFleet } from '../helpers/test-fleet.js'
import { coursesOfTable } from './courses.js'
import { faultFleet } from './device-run.js'
import { changesOfJournalWrite, diskWithFirstVersion, type FaultCase, playCase } from './fault-case.js'

/** Second faults tried for each first one. */
const secondFaults = 2

export interface MatrixFailure {
  readonly name: string
  readonly problems: readonly string[]
}

export interface MatrixResult {
  readonly cases: number
  readonly failures: readonly MatrixFailure[]
}

function nameOf({ course, kind, point, second }: FaultCase): string {
  const again = second === undefined ? '' : `, again after ${second} changes`
  return `${course.name}: ${kind} after ${point} changes of the write${again}`
}

/** The first faults: every row, every point, both kinds. */
export function firstFaults(journalChanges: number): readonly FaultCase[] {
  return coursesOfTable().flatMap((course) =>
    (['kill', 'power cut'] as const).flatMap((kind) =>
      Array.from({ length: journalChanges + 1 }, (_, point) => ({ course, kind, point, second: undefined })),
    ),
  )
}

/** Plays each `stride`-th first fault, alone and with second ones. */
export async function playMatrix(
  stride: number,
  onRow: (name: string, cases: number, failed: number) => void,
): Promise<MatrixResult> {
  const fleet = faultFleet()
  const disk = await diskWithFirstVersion(fleet)
  const all = firstFaults(await changesOfJournalWrite(disk, fleet))
  const rows = groupByRow(all, stride)
  const failures: MatrixFailure[] = []
  let cases = 0
  for (const [name, faults] of rows) {
    const before = { cases, failed: failures.length }
    for (const fault of faults) cases += await playWithSeconds(disk, fleet, fault, failures)
    onRow(name, cases - before.cases, failures.length - before.failed)
  }
  return { cases, failures }
}

function groupByRow(all: readonly FaultCase[], stride: number): Map<string, FaultCase[]> {
  const rows = new Map<string, FaultCase[]>()
  for (const [index, fault] of all.entries()) {
    if (index % stride !== 0) continue
    rows.set(fault.course.name, [...(rows.get(fault.course.name) ?? []), fault])
  }
  return rows
}

async function playWithSeconds(
  disk: LossyFileSystem,
  fleet: TestFleet,
  first: FaultCase,
  failures: MatrixFailure[],
): Promise<number> {
  const play = async (fault: FaultCase): Promise<number> => {
    const seed = (fault.second ?? 0) * 100 + fault.point
    const { problems, recoveryChanges } = await playCase(disk, fleet, fault, seed)
    if (problems.length > 0) failures.push({ name: nameOf(fault), problems })
    return recoveryChanges
  }
  const changes = await play(first)
  const random = seededRandom(changes)
  const points = new Set<number>()
  while (points.size < Math.min(secondFaults, changes)) points.add(random.integer(changes))
  for (const second of points) await play({ ...first, second })
  return 1 + points.size
}
