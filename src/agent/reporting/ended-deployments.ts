/** How deployments ended, as a device tells it. Invariant: what an older version wrote without names is left out. */

import type { EndedDeployment } from '../../protocol/deployment-history.js'
import type { Outcome } from '../../update/outcomes.js'

/** The history of a device, the newest last. */
export function endedDeployments(outcomes: readonly Outcome[]): readonly EndedDeployment[] {
  return outcomes.flatMap((outcome) => {
    const { deploymentId: id, model, version, endedAtMs, result, attempts, isFinal, code, message } = outcome
    if (model === undefined || version === undefined || endedAtMs === undefined) return []
    const error = code === undefined ? undefined : { code, message: message ?? 'no reason was kept' }
    return [
      {
        id,
        model,
        version,
        result,
        at: new Date(endedAtMs).toISOString(),
        attempts,
        isFinal,
        ...(error !== undefined && { error }),
      },
    ]
  })
}
