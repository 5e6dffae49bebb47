/** committed, refused, rollingBack: the ends. Each may be repeated until it succeeds. */

import type { WorkFunction } from './work.js'

const nothingElse = { blobSha256s: [], manifestSha256s: [] } as const

/** committed: the new model stays for good; what only older versions needed goes. */
export const commit: WorkFunction = async ({ ports }) => {
  await ports.slots.commit()
  await ports.slots.dropCandidate()
  await ports.artefacts.collectGarbage(nothingElse)
  return { kind: 'finished' }
}

/** refused: the active model was never touched; the chunks that came stay for the next attempt. */
export const cleanUp: WorkFunction = async ({ ports }) => {
  await ports.slots.dropCandidate()
  return { kind: 'finished' }
}

/** rollingBack: what served before the switch serves again. */
export const rollBack: WorkFunction = async ({ ports }) => {
  await ports.slots.rollBack()
  await ports.serving.serve(ports.slots.state.active)
  return { kind: 'finished' }
}
