/**
 * The states of a deployment and the work that each begins when it is entered.
 * Invariant: a state's work may be done twice with the same result, because power may fail between any two writes.
 */

import type { DeploymentState } from '../protocol/deployment.js'

/** What the updater does in a state. */
export type Work =
  | 'examine-offer'
  | 'download'
  | 'verify'
  | 'await-permission'
  | 'try-variants'
  | 'switch-model'
  | 'watch-soak'
  | 'commit'
  | 'clean-up'
  | 'roll-back'

interface StateRow {
  /** Begins when the state is entered; idle waits for an offer. */
  readonly work: Work | undefined
  /**
   * Whether the state may be entered when the journal cannot be written: only where the older entry leads, after a
   * restart, to the same end.
   */
  readonly needsJournal: boolean
  /** Whether a newer wish stops the work, or waits until the state is left. */
  readonly canBeStopped: boolean
}

// prettier-ignore
export const stateTable = {
  idle:        { work: undefined,          needsJournal: false, canBeStopped: false },
  offered:     { work: 'examine-offer',    needsJournal: true,  canBeStopped: true  },
  downloading: { work: 'download',         needsJournal: true,  canBeStopped: true  },
  verifying:   { work: 'verify',           needsJournal: true,  canBeStopped: true  },
  staged:      { work: 'await-permission', needsJournal: true,  canBeStopped: true  },
  trial:       { work: 'try-variants',     needsJournal: true,  canBeStopped: true  },
  switching:   { work: 'switch-model',     needsJournal: true,  canBeStopped: false },
  soaking:     { work: 'watch-soak',       needsJournal: true,  canBeStopped: true  },
  committed:   { work: 'commit',           needsJournal: true,  canBeStopped: false },
  refused:     { work: 'clean-up',         needsJournal: false, canBeStopped: false },
  rollingBack: { work: 'roll-back',        needsJournal: false, canBeStopped: false },
} as const satisfies Readonly<Record<DeploymentState, StateRow>>

/** The row of a state, typed alike for all. */
export function stateRow(state: DeploymentState): StateRow {
  return stateTable[state]
}
