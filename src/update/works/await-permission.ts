/**
 * staged: everything is here; the owner says when a trial may take the machine's time.
 * A device that serves nothing has nothing to disturb, and a version that was committed here before is one that an operator goes
 * back to: neither waits.
 */

import { AgentError } from '../../base/errors.js'
import type { WorkFunction } from './work.js'

export const awaitPermission: WorkFunction = async (context) => {
  const { ports, signal, wasCommitted } = context
  if (wasCommitted || ports.slots.state.active === undefined) return { kind: 'permitted' }
  await ports.permission.waitForTrial(signal, (etaMs) => {
    context.onProgress({ progress: 0, etaMs })
  })
  if (signal.aborted) throw new AgentError('deployment.wish_superseded', 'the wait for a trial was ended')
  return { kind: 'permitted' }
}
