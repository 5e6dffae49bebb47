/**
 * One case of the fault matrix: the process or the power ends at one exact point of one write of the journal, perhaps once
 * more while the device recovers; then everything works, and the device has to come to rest as its course demands.
 */

import type { Random } from '../../src/base/random.js'
import { seededRandom } from '../../src/base/random.js'
import { LossyFileSystem } from '../helpers/lossy-fs.js'
import { problemsOf, TestDevice } from '../helpers/test-device.js'
import type { TestFleet } from '../helpers/test-fleet.js'
import type { Course } from './courses.js'
import { CourseState, faultRoot, settleForGood, startOnCourse } from './device-run.js'

export type FaultKind = 'kill' | 'power cut'

export interface FaultCase {
  readonly course: Course
  readonly kind: FaultKind
  /** Changes of the disk that the journal's write still makes: 0 is before it, all of them is after it. */
  readonly point: number
  /** Changes that the recovery makes before a second fault; undefined: there is none. */
  readonly second: number | undefined
}

export interface CaseResult {
  readonly problems: readonly string[]
  /** Changes of the disk that the recovery made. */
  readonly recoveryChanges: number
}

/** A disk on which 1.0.0 was deployed and committed. */
export async function diskWithFirstVersion(fleet: TestFleet): Promise<LossyFileSystem> {
  const files = new LossyFileSystem()
  const device = await TestDevice.start({ files, root: faultRoot, fleet })
  device.wish(fleet.wish(1))
  await device.settle()
  await device.stop()
  return files
}

/** How many changes of the disk one write of the journal makes. */
export async function changesOfJournalWrite(disk: LossyFileSystem, fleet: TestFleet): Promise<number> {
  const device = await TestDevice.start({ files: disk.afterKill(), root: faultRoot, fleet })
  await device.settle()
  const files = disk.afterKill()
  const { store } = await TestDevice.start({ files, root: faultRoot, fleet })
  const before = files.operations
  await store.journal.write({})
  return files.operations - before
}

function fateOf(kind: FaultKind, files: LossyFileSystem, random: Random): LossyFileSystem {
  return kind === 'kill' ? files.afterKill() : files.afterPowerCut(random)
}

/** Runs until the power is off or the device has come to rest. */
export async function runUntilOff(files: LossyFileSystem, start: () => Promise<TestDevice>): Promise<void> {
  try {
    const device = await start()
    await settleForGood(device, () => files.isOff)
    await device.stop()
  } catch (thrown) {
    if (!files.isOff) throw thrown
  }
}

/** Plays one case on a copy of `disk`. */
export async function playCase(
  disk: LossyFileSystem,
  fleet: TestFleet,
  { course, kind, point, second }: FaultCase,
  seed: number,
): Promise<CaseResult> {
  const random = seededRandom(seed)
  const state = new CourseState(course)
  const first = disk.afterKill()
  const onJournal = (from: string | undefined, to: string): void => {
    if (from === course.from && to === course.to) first.cutAfter ??= point
  }
  await runUntilOff(first, () => startOnCourse({ files: first, root: faultRoot, fleet, state, onJournal }))
  if (!first.isOff) return { problems: ['the point of the fault was not reached'], recoveryChanges: 0 }
  let files = fateOf(kind, first, random)
  const restart = (): Promise<TestDevice> =>
    startOnCourse({ files, root: faultRoot, fleet, state, onJournal: () => undefined })
  if (second !== undefined) {
    files.cutAfter = second
    await runUntilOff(files, restart)
    if (files.isOff) files = fateOf(kind, files, random)
    else files.cutAfter = undefined
  }
  const before = files.operations
  const problems = await playToTheEnd(files, restart, course)
  return { problems, recoveryChanges: files.operations - before }
}

/** No more faults: the device has to come to the right rest, and to be the same after one more start. */
export async function playToTheEnd(
  files: LossyFileSystem,
  restart: () => Promise<TestDevice>,
  course: Course,
): Promise<string[]> {
  const device = await restart()
  const isSettled = await settleForGood(device, () => false)
  const problems = [
    ...(isSettled ? [] : ['does not come to rest']),
    ...(await problemsAtRest(device, course)),
  ]
  await device.stop()
  const again = await restart()
  await again.settle()
  problems.push(...(await problemsAtRest(again, course)).map((problem) => `after one more start: ${problem}`))
  await again.stop()
  return files.isOff ? ['the power went off'] : problems
}

async function problemsAtRest(device: TestDevice, course: Course): Promise<string[]> {
  const problems = await problemsOf(device)
  const { activeVersion = 'nothing', store } = device
  if (activeVersion !== course.finalVersion)
    problems.push(`${activeVersion} is active, expected ${course.finalVersion}`)
  for (const sha256 of await device.fileNames()) {
    const found = await store.blobs.verify(sha256)
    if (found !== 'intact') problems.push(`file ${sha256} is ${found}`)
  }
  return problems
}
