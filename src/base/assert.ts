/** Checks for programmer errors. A broken invariant ends the process; the supervisor starts it again. */

import { AgentError } from './errors.js'

/** Throws `internal.invariant_broken` unless `condition` holds. `claim` states what should have been true. */
export function invariant(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new AgentError('internal.invariant_broken', `this should hold but does not: ${claim}`)
}

/** Returns `value`, which the caller knows to be present. `claim` says why. */
export function present<T>(value: T | undefined | null, claim: string): T {
  invariant(value !== undefined && value !== null, claim)
  return value
}

/** Marks a branch that the types rule out. */
export function unreachable(value: never): never {
  throw new AgentError('internal.invariant_broken', `no case for ${JSON.stringify(value)}`)
}
