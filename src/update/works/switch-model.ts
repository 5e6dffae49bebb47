/**
 * switching: the chosen variant becomes the active one.
 * Invariant: the slots are written before the first frame of the new model, so that a restart knows what to undo.
 */

import { acceptedManifest, servedModelOf, type WorkFunction } from './work.js'

export const switchModel: WorkFunction = async (context) => {
  const { ports, deployment } = context
  const model = servedModelOf(await acceptedManifest(context), deployment)
  await ports.slots.setCandidate(model)
  await ports.slots.promote(deployment.id, ports.clock.wallMs())
  await ports.serving.serve(ports.slots.state.active)
  return { kind: 'switched' }
}
