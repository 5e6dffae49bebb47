/** How a search ended. Invariant: every trial is a variant, dropped for a variant, or refused. */

import type { Budget } from '../../compress/search/budget.js'
import type { MeasuredTrial, RefusedTrial } from '../../compress/search/trial.js'
import type { SearchRequest } from './search-request.js'

/** What answers a budget; nothing where no variant is within it. */
export interface Choice {
  readonly budget: Budget
  readonly best: MeasuredTrial | undefined
}

export interface SearchOutcome {
  readonly request: SearchRequest
  readonly startedAtMs: number
  readonly outOfTime: boolean
  /** Time of a frame with the export, taken in turns with the variants. */
  readonly sourceMs: number
  readonly trials: readonly MeasuredTrial[]
  readonly refused: readonly RefusedTrial[]
  /** What the bundle holds. */
  readonly variants: readonly MeasuredTrial[]
  readonly dropped: readonly { readonly trial: MeasuredTrial; readonly by: MeasuredTrial }[]
  readonly choices: readonly Choice[]
}
