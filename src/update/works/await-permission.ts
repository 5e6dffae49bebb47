/** staged: everything is here; the owner says when a trial may take the machine's time. */

import type { WorkFunction } from './work.js'

export const awaitPermission: WorkFunction = async ({ ports, signal }) => {
  await ports.permission.waitForTrial(signal)
  return { kind: 'permitted' }
}
