/**
 * Every file of a device's folder, damaged in every way: before a start and while a model serves, with a broker and without.
 * Invariant: made from what really lies on the disk at each stage of a deployment; with a broker the wished version serves in
 * the end with every file right, without one a model that is whole serves or the device says what is wrong.
 */

import { basename, dirname } from 'node:path'
import type { DeploymentState } from '../../src/protocol/deployment.js'
import { LossyFileSystem } from '../helpers/lossy-fs.js'
import { missingOf, problemsOf, TestDevice } from '../helpers/test-device.js'
import type { TestFleet } from '../helpers/test-fleet.js'
import { faultFleet, faultRoot } from './device-run.js'
import type { MatrixFailure, MatrixResult } from './fault-matrix.js'

const hourMs = 3_600_000
/** More than the device waits between two readings of every file. */
const hoursToPass = 14

/** What can happen to the bytes of a file. */
const damages = {
  'cut in half': (files, path) => {
    files.corrupt(path, (content) => content.subarray(0, Math.floor(content.length / 2)))
  },
  'cut by one byte': (files, path) => {
    files.corrupt(path, (content) => content.subarray(0, Math.max(0, content.length - 1)))
  },
  emptied: (files, path) => {
    files.corrupt(path, () => Buffer.alloc(0))
  },
  zeroed: (files, path) => {
    files.corrupt(path, (content) => Buffer.alloc(content.length))
  },
  'flipped at its beginning': (files, path) => {
    flip(files, path, 0)
  },
  'flipped in the middle': (files, path) => {
    flip(files, path, 0.5)
  },
  'flipped at its end': (files, path) => {
    flip(files, path, 1)
  },
  lengthened: (files, path) => {
    files.corrupt(path, (content) => Buffer.concat([content, Buffer.from('more')]))
  },
  removed: async (files, path) => {
    await files.remove(path)
  },
  unreadable: (files, path) => {
    files.makeUnreadable(path)
  },
} as const satisfies Readonly<Record<string, (files: LossyFileSystem, path: string) => Promise<void> | void>>

type Damage = keyof typeof damages

function flip(files: LossyFileSystem, path: string, where: number): void {
  files.corrupt(path, (content) => {
    const index = Math.min(content.length - 1, Math.floor(content.length * where))
    if (index >= 0) content[index] = content[index]! ^ 1
    return content
  })
}

/** A disk at one moment of the life of a device, and the version that is wished there. */
interface Stage {
  readonly name: string
  readonly disk: LossyFileSystem
  readonly wished: number
}

export interface DamageCase {
  readonly stage: Stage
  readonly path: string
  readonly damage: Damage
  readonly when: 'before a start' | 'while it serves'
  readonly hasBroker: boolean
}

/** Deploys `versions` one after the other; a copy of the disk at the moment when the last one enters `killedIn`. */
async function diskAfter(
  fleet: TestFleet,
  versions: readonly number[],
  killedIn?: DeploymentState,
): Promise<LossyFileSystem> {
  const files = new LossyFileSystem()
  let copy: LossyFileSystem | undefined
  let isLast = false
  const device = await TestDevice.start({
    files,
    root: faultRoot,
    fleet,
    behaviour: {
      onWork: (state) => {
        if (isLast && state === killedIn) copy ??= files.afterKill()
        return Promise.resolve()
      },
    },
  })
  for (const [index, version] of versions.entries()) {
    isLast = index === versions.length - 1
    device.wish(fleet.wish(version))
    await device.settle()
  }
  await device.stop()
  return copy ?? files.afterKill()
}

async function stagesOf(fleet: TestFleet): Promise<readonly Stage[]> {
  const stage = async (
    name: string,
    versions: readonly number[],
    killedIn?: DeploymentState,
  ): Promise<Stage> => ({
    name,
    disk: await diskAfter(fleet, versions, killedIn),
    wished: versions.at(-1)!,
  })
  return [
    await stage('the first version committed', [1]),
    await stage('the second version committed', [1, 2]),
    await stage('the third version committed', [1, 2, 3]),
    await stage('the second version downloaded', [1, 2], 'verifying'),
    await stage('the second version in its trial', [1, 2], 'trial'),
    await stage('the second version being switched to', [1, 2], 'switching'),
    await stage('the second version in its soak', [1, 2], 'soaking'),
    await stage('the second version being committed', [1, 2], 'committed'),
  ]
}

/** Stages at which a device comes to rest as it is, so that its files can be damaged while it serves. */
const restingStages = 3

/** Every case there is. */
export async function damageCases(fleet: TestFleet): Promise<readonly DamageCase[]> {
  const stages = await stagesOf(fleet)
  return stages.flatMap((stage, index) =>
    stage.disk
      .paths()
      .flatMap((path) =>
        (Object.keys(damages) as Damage[]).flatMap((damage) =>
          (index < restingStages
            ? (['before a start', 'while it serves'] as const)
            : (['before a start'] as const)
          ).flatMap((when) => [true, false].map((hasBroker) => ({ stage, path, damage, when, hasBroker }))),
        ),
      ),
  )
}

function nameOf({ stage, path, damage, when, hasBroker }: DamageCase): string {
  const broker = hasBroker ? 'with a broker' : 'without a broker at first'
  return `${stage.name}: ${basename(dirname(path))}/${basename(path).slice(0, 12)} ${damage} ${when}, ${broker}`
}

/** Lets hours pass, in which everything that is repeated is repeated. */
async function letTimePass(device: TestDevice): Promise<void> {
  for (let hour = 0; hour < hoursToPass; hour++) {
    await device.settle()
    device.clock.advance(hourMs)
  }
  await device.settle()
}

/** What is wrong with a device that has no broker. */
async function problemsOffline(device: TestDevice): Promise<string[]> {
  const { serving, store } = device
  const { active } = store.slots.state
  const fault = active === undefined ? 'no model is active' : await missingOf(store, active)
  const said = device.updater.restoring
  const isActive = serving !== undefined && serving.deploymentId === active?.deploymentId
  if (active === undefined || (fault === undefined && isActive)) return []
  return said === undefined ? [`${fault ?? 'another model serves'}, and the device says nothing of it`] : []
}

/** Plays one case on a copy of its disk. */
export async function playDamage(fleet: TestFleet, play: DamageCase): Promise<readonly string[]> {
  const { stage, path, damage, when } = play
  const files = stage.disk.afterKill()
  let isOnline = play.hasBroker
  const start = async (): Promise<TestDevice> => {
    const device = await TestDevice.start({
      files,
      root: faultRoot,
      fleet,
      isOnline: () => isOnline,
    })
    if (isOnline) device.wish(fleet.wish(stage.wished))
    return device
  }
  const problems: string[] = []
  if (when === 'before a start') await damages[damage](files, path)
  let device = await start()
  if (when === 'while it serves') {
    await device.settle()
    if (!files.paths().includes(path)) return ['the file is not there any more']
    await damages[damage](files, path)
  }
  await letTimePass(device)
  if (!isOnline) {
    problems.push(...(await problemsOffline(device)).map((problem) => `without a broker: ${problem}`))
    isOnline = true
    device.wish(fleet.wish(stage.wished))
    await letTimePass(device)
  }
  problems.push(...(await problemsInTheEnd(device, stage)))
  await device.stop()
  device = await start()
  await letTimePass(device)
  problems.push(
    ...(await problemsInTheEnd(device, stage)).map((problem) => `after one more start: ${problem}`),
  )
  await device.stop()
  return problems
}

async function problemsInTheEnd(device: TestDevice, { wished }: Stage): Promise<string[]> {
  // What was found damaged at the start is mended by now, and stands in the log.
  const atStart = new Set(device.store.problems.map(({ message }) => message))
  const problems = (await problemsOf(device)).filter((problem) => !atStart.has(problem))
  if (device.activeVersion !== `${wished}.0.0`)
    problems.push(`${device.activeVersion ?? 'nothing'} is active, expected ${wished}.0.0`)
  if (device.updater.restoring !== undefined)
    problems.push(`still said to be wrong: ${device.updater.restoring.error.message}`)
  return problems
}

/** Plays each `stride`-th case. */
export async function playDamages(
  stride: number,
  onStage: (name: string, cases: number, failed: number) => void = () => undefined,
): Promise<MatrixResult> {
  const fleet = faultFleet()
  const all = (await damageCases(fleet)).filter((_, index) => index % stride === 0)
  const failures: MatrixFailure[] = []
  for (const stage of new Set(all.map((each) => each.stage))) {
    const cases = all.filter((each) => each.stage === stage)
    const before = failures.length
    for (const each of cases) {
      let problems: readonly string[]
      try {
        problems = await playDamage(fleet, each)
      } catch (thrown) {
        problems = [
          `the device does not start or does not end: ${thrown instanceof Error ? thrown.message : ''}`,
        ]
      }
      if (problems.length > 0) failures.push({ name: nameOf(each), problems })
    }
    onStage(stage.name, cases.length, failures.length - before)
  }
  return { cases: all.length, failures }
}
