/**
 * How a rollout is widened, held and given up.
 * Invariant: the salt stays for the life of a rollout, so that a larger share only adds devices.
 */

import { AgentError } from '../../base/errors.js'
import type { Desired, Rollout } from '../../protocol/desired.js'

/** Later than any device lives: nobody begins before it. */
const neverAt = '9999-12-31T23:59:59.000Z'

export type RolloutPhase = 'running' | 'waiting' | 'paused' | 'aborted'

/** The terms of a wish; one without any is for everybody at once. */
export function termsOf({ rollout, sequence }: Desired): Rollout {
  return rollout ?? { percent: 100, salt: String(sequence) }
}

/** Where a rollout stands at the wall time `nowMs`. */
export function phaseOf(wish: Desired, nowMs: number): RolloutPhase {
  const { percent, notBefore } = termsOf(wish)
  if (percent === 0) return 'aborted'
  if (notBefore === neverAt) return 'paused'
  return notBefore !== undefined && Date.parse(notBefore) > nowMs ? 'waiting' : 'running'
}

/** More devices. Throws `cli.argument_invalid` unless `percent` is more than now. */
export function widened(wish: Desired, percent: number): Rollout {
  const terms = termsOf(wish)
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
  return { ...termsOf(wish), notBefore: neverAt }
}

/** Goes on at once. Throws `cli.argument_invalid` for a rollout that was aborted. */
export function resumed(wish: Desired): Rollout {
  const { percent, salt } = termsOf(wish)
  if (percent > 0) return { percent, salt }
  throw new AgentError(
    'cli.argument_invalid',
    'an aborted rollout cannot be resumed: expected a paused one',
    {
      hint: 'yolo-edge rollout start begins anew',
    },
  )
}

/** For nobody. */
export function aborted(wish: Desired): Rollout {
  const { salt } = termsOf(wish)
  return { percent: 0, salt }
}
