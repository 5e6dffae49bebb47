/**
 * Courses of a deployment, one for each row of the transition table: how the world has to behave for a device to take
 * that very transition. Invariant: made from the table; a row that is added there gets its course here, or the making fails.
 */

import { present } from '../../src/base/assert.js'
import type { ErrorCode } from '../../src/base/errors.js'
import type { DeploymentState } from '../../src/protocol/deployment.js'
import type { EventKind } from '../../src/update/events.js'
import { stateTable } from '../../src/update/states.js'
import { nextState, transitions } from '../../src/update/transitions.js'

type State = DeploymentState

/** How the world behaves towards version 2.0.0; 1.0.0 is active before. */
export interface Course {
  readonly name: string
  readonly from: State
  readonly event: EventKind
  readonly to: State
  /** How often the work of a state fails before it succeeds. */
  readonly failures: Readonly<Partial<Record<State, number>>>
  /** The work of this state never succeeds with the new version. */
  readonly failsAlways?: State
  /** A wish for 3.0.0 arrives in this state. */
  readonly supersededIn?: State
  /** A file disappears from the disk before it is verified. */
  readonly losesFile: boolean
  /** What must be active at the end. */
  readonly finalVersion: string
}

/** What the work of a state fails with. */
export const failureCodes: Readonly<Record<State, ErrorCode>> = {
  idle: 'internal.invariant_broken',
  offered: 'network.request_timeout',
  downloading: 'resource.disk_full',
  verifying: 'integrity.digest_mismatch',
  staged: 'resource.memory_exhausted',
  trial: 'inference.output_invalid',
  switching: 'inference.load_failed',
  soaking: 'deployment.soak_failed',
  committed: 'resource.file_unwritable',
  refused: 'resource.file_unwritable',
  rollingBack: 'resource.file_unwritable',
}

/** States in which a failure is the model's, so that it comes back whenever it is tried. */
const modelStates: ReadonlySet<State> = new Set(['trial', 'switching', 'soaking'])

/** As many failures as make the updater give up the work of a closing state for this run. */
const failuresToAbandon = 5

/** What has to go wrong before `state` is entered. */
function routeTo(state: State): Pick<Course, 'failures' | 'failsAlways'> {
  if (state === 'refused') return { failures: { offered: 1 } }
  if (state === 'rollingBack') return { failures: {}, failsAlways: 'soaking' }
  return { failures: {} }
}

function isClosing(state: State): boolean {
  return nextState(state, 'finished') !== undefined
}

function courseOf(from: State, event: EventKind): Course {
  const route = routeTo(from)
  const to = present(nextState(from, event), 'a course is made for a row of the table')
  const course = { ...route, name: `${from} --${event}--> ${to}`, from, event, to, losesFile: false }
  const end = route.failsAlways === undefined ? '2.0.0' : '1.0.0'
  switch (event) {
    case 'failed':
      if (modelStates.has(from)) return { ...course, failsAlways: from, finalVersion: '1.0.0' }
      return { ...course, failures: { ...route.failures, [from]: 1 }, finalVersion: end }
    case 'abandoned':
      return { ...course, failures: { ...route.failures, [from]: failuresToAbandon }, finalVersion: end }
    case 'superseded':
      return { ...course, supersededIn: from, finalVersion: '3.0.0' }
    case 'incomplete':
      return { ...course, losesFile: true, finalVersion: end }
    case 'offered':
    case 'accepted':
    case 'downloaded':
    case 'verified':
    case 'permitted':
    case 'chosen':
    case 'switched':
    case 'soaked':
    case 'finished':
      return { ...course, finalVersion: end }
  }
}

/** One course for each row, apart from those that the state table rules out: what cannot be stopped is not superseded. */
export function coursesOfTable(): readonly Course[] {
  return (Object.keys(transitions) as State[]).flatMap((from) =>
    (Object.keys(transitions[from]) as EventKind[])
      .filter((event) => event !== 'superseded' || stateTable[from].canBeStopped || isClosing(from))
      .map((event) => courseOf(from, event)),
  )
}
