/** committed, refused, rollingBack: the ends. Each may be repeated until it succeeds. */

import type { ServedModel, UpdatePorts } from '../ports.js'
import { isFileFault } from '../restore-files.js'
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

/**
 * rollingBack: what served before the switch serves again.
 * It serves also when the slots cannot be written: a full disk must not keep a bad model in front of the cameras.
 */
export const rollBack: WorkFunction = async ({ ports, deployment }) => {
  const target = modelBefore(ports, deployment.id)
  const [written, served] = await Promise.allSettled([
    restoreSlots(ports, deployment.id),
    ports.serving.serve(target),
  ])
  if (written.status === 'rejected') throw written.reason
  // A file that has gone bad does not come back by trying again: the idle device fetches it.
  if (served.status === 'rejected' && !isFileFault(served.reason)) throw served.reason
  return { kind: 'finished' }
}

/** What serves once deployment `id` is undone. */
function modelBefore({ slots: { state } }: UpdatePorts, id: string): ServedModel | undefined {
  if (state.beforeSwitch !== undefined) return state.beforeSwitch.active
  return isCommitted(state, id) ? state.previous : state.active
}

async function restoreSlots({ slots, clock }: UpdatePorts, id: string): Promise<void> {
  if (slots.state.beforeSwitch === undefined && isCommitted(slots.state, id))
    await slots.activatePrevious(clock.wallMs())
  else await slots.rollBack()
}

/** Whether deployment `id` is being taken back although it was committed, and there is a model to go back to. */
function isCommitted({ active, previous }: UpdatePorts['slots']['state'], id: string): boolean {
  return active?.deploymentId === id && previous !== undefined && previous.deploymentId !== id
}
