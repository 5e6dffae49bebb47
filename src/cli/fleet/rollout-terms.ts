/**
 * How a rollout is widened, held and given up.
 * Invariant: the salt stays for the life of a rollout, so that a larger share only adds devices.
 */

import { AgentError } from '../../base/errors.js'
import type { Desired, Rollout } from '../../protocol/desired.js'
import { neverAt, termsOf } from '../../protocol/rollout-phase.js'

/** More devices. Throws `cli.argument_invalid` unless `percent` is more than now, and for a rollout that was aborted. */
export function widened(wish: Desired, percent: number): Rollout {
  const terms = requireAlive(wish, 'widened')
  if (percent > terms.percent) return { ...terms, percent }
  throw new AgentError(
    'cli.argument_invalid',
    `--percent ${percent}: expected more than the ${terms.percent} of now`,
    {
      hint: 'a rollout is never narrowed: yolo-edge rollout abort stops it, and --back-to brings devices back',
    },
  )
}

/** Nobody begins any more, and who has not switched yet gives up; who has the version keeps it. */
export function paused(wish: Desired): Rollout {
  return { ...requireAlive(wish, 'paused'), notBefore: neverAt }
}

/** Paused by itself, because of `reason`: one sentence. */
export function halted(wish: Desired, reason: string): Rollout {
  return { ...paused(wish), halted: reason.slice(0, 500) }
}

/** Goes on at once. Throws `cli.argument_invalid` for a rollout that was aborted. */
export function resumed(wish: Desired): Rollout {
  const { percent, salt, plan } = requireAlive(wish, 'resumed')
  return { percent, salt, ...(plan !== undefined && { plan }) }
}

/** For nobody, for good. */
export function aborted(wish: Desired): Rollout {
  const { salt } = termsOf(wish)
  return { percent: 0, salt, aborted: true }
}

/** The terms of a rollout that was not given up. */
function requireAlive(wish: Desired, changed: string): Rollout {
  const terms = termsOf(wish)
  if (terms.aborted !== true) return terms
  const { target, model, version } = wish
  throw new AgentError(
    'cli.argument_invalid',
    `the rollout of ${model} ${version} to ${target.kind} ${target.name} was aborted and cannot be ${changed}`,
    { hint: 'yolo-edge rollout start begins anew' },
  )
}
