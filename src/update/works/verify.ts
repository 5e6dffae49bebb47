/** verifying: every file is read once more from the disk, because what was written is not always what is there. */

import { AgentError } from '../../base/errors.js'
import { acceptedManifest, neededArtefacts, type WorkFunction } from './work.js'

/** How often files that have gone bad are fetched anew before the disk is called bad. */
const refetchesMax = 3

export const verify: WorkFunction = async (context) => {
  const { ports, deployment } = context
  const artefacts = neededArtefacts(await acceptedManifest(context), deployment)
  for (const [index, { sha256 }] of artefacts.entries()) {
    const state = await ports.artefacts.verify(sha256)
    if (state !== 'intact') {
      if (deployment.refetches < refetchesMax) return { kind: 'incomplete' }
      const problem = `file ${sha256} was ${state} after it was fetched ${deployment.refetches + 1} times`
      throw new AgentError('integrity.digest_mismatch', problem)
    }
    context.onProgress({ progress: (index + 1) / artefacts.length })
  }
  return { kind: 'verified' }
}
