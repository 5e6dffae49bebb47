/**
 * Measuring the variants of the serving version anew, because the machine has changed: the same course as a deployment.
 * Invariant: pure; its id is that of no wish, so it never counts for or against one.
 */

import { sha256Of } from '../base/digest.js'
import { type DeploymentRecord, emptyRecord } from './deployment-record.js'
import type { SlotsView } from './ports.js'

/** The record of a reconsideration that `reason` asks for at `nowMs`; undefined while no model serves. */
export function reconsiderationOf(
  { active }: SlotsView,
  device: string,
  reason: string,
  nowMs: number,
): DeploymentRecord | undefined {
  if (active === undefined) return undefined
  const { model, version, deploymentId } = active
  return {
    ...emptyRecord(),
    id: sha256Of([deploymentId, 'reconsidered', nowMs].join('\n')).slice(0, 16),
    target: { kind: 'device', name: device },
    model,
    version,
    allowDowngrade: true,
    attempt: 1,
    reconsidered: reason,
  }
}
