/**
 * A device on its course, from one start to its death or to rest.
 * Invariant: the course remembers over restarts what has happened of it already; the broker keeps the newest wish.
 */

import type { DeploymentState } from '../../src/protocol/deployment.js'
import type { FileSystem } from '../../src/store/fs.js'
import { type Behaviour, TestDevice, testError } from '../helpers/test-device.js'
import { TestFleet } from '../helpers/test-fleet.js'
import { type Course, failureCodes } from './courses.js'

export const faultRoot = '/store'
const turnsToTakeWish = 20

/** The fleet of the fault tests: versions 1 to 3. */
export function faultFleet(privatePem?: string): TestFleet {
  const fleet = new TestFleet(privatePem)
  for (const number of [1, 2, 3]) fleet.publish(number)
  return fleet
}

/** What is left of a course. */
export class CourseState {
  readonly course: Course
  readonly #left: Partial<Record<DeploymentState, number>>
  #losesFile: boolean
  /** The number of the version that is wished. */
  wished = 2

  constructor(course: Course) {
    this.course = course
    this.#left = { ...course.failures }
    this.#losesFile = course.losesFile
  }

  /** The world as this course wants it. `onJournal` sees each write of the journal before it begins. */
  behaviour(fleet: TestFleet, onJournal: NonNullable<Behaviour['onJournal']>): Behaviour {
    return {
      onJournal,
      onWork: async (state, device) => {
        if (this.course.supersededIn === state && this.wished === 2) await this.#supersede(fleet, device)
        if (this.#losesFile && state === 'verifying') {
          this.#losesFile = false
          const { active } = device.store.slots.state
          const kept = new Set(active?.blobSha256s)
          const names = await device.fileNames()
          await device.store.blobs.remove(names.find((name) => !kept.has(name))!)
        }
        const left = this.#left[state] ?? 0
        if (left > 0) this.#left[state] = left - 1
        const failsAlways = this.course.failsAlways === state && this.#isNew(device)
        if (left > 0 || failsAlways) throw testError(failureCodes[state])
      },
    }
  }

  #isNew(device: TestDevice): boolean {
    return device.updater.deployment?.version === '2.0.0'
  }

  async #supersede(fleet: TestFleet, device: TestDevice): Promise<void> {
    this.wished = 3
    device.wish(fleet.wish(3))
    for (let turn = 0; turn < turnsToTakeWish; turn++) await new Promise((resolve) => setImmediate(resolve))
    throw testError('network.request_timeout')
  }
}

export interface RunSetting {
  readonly files: FileSystem
  readonly root: string
  readonly fleet: TestFleet
  readonly state: CourseState
  readonly onJournal: NonNullable<Behaviour['onJournal']>
  readonly turn?: () => Promise<void>
}

/** Starts the device and gives it the wish that the broker keeps. */
export async function startOnCourse(setting: RunSetting): Promise<TestDevice> {
  const { state, fleet, onJournal, ...rest } = setting
  const device = await TestDevice.start({ ...rest, fleet, behaviour: state.behaviour(fleet, onJournal) })
  device.wish(fleet.wish(state.wished))
  return device
}

const hourMs = 3_600_000
const roundsMax = 40

/** Lets hours pass until the last outcome is final. Returns whether that came to be. */
export async function settleForGood(device: TestDevice, isOver: () => boolean): Promise<boolean> {
  for (let round = 0; round < roundsMax && !isOver(); round++) {
    await device.settle(isOver)
    const { slots } = device.store
    const isSettled = slots.state.beforeSwitch === undefined && device.updater.outcomes.at(-1)?.isFinal
    if (isSettled === true) return true
    device.clock.advance(hourMs)
  }
  return false
}
