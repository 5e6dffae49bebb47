/**
 * Whether what serves is signed by a key that this device trusts today.
 * Invariant: a version that the broker holds with the signature of another trusted key counts as signed: keys are rotated that
 * way.
 */

import { keptPayload } from '../protocol/kept-manifest.js'
import { type AgentError, wrapError } from '../base/errors.js'
import { openEnvelope } from '../protocol/envelope.js'
import { manifestPayloadType } from '../protocol/manifest.js'
import type { ServedModel, UpdatePorts } from './ports.js'

/** How long the broker may take to show what it holds. */
const fetchMs = 25_000

/** Why the manifest that is kept of `model` is not believed; undefined when it is, or when it is lost: that is another fault. */
export async function distrustOfKept(
  ports: Pick<UpdatePorts, 'manifests' | 'trust'>,
  model: ServedModel,
): Promise<AgentError | undefined> {
  const kept = await ports.manifests.read(model.manifestSha256)
  return kept === undefined ? undefined : distrustIn(ports, kept, model)
}

/**
 * The same, after a look at the broker: where it holds the same manifest with a signature that is believed, that one is kept
 * from then on. Ends soon after `signal` aborts. Never rejects.
 */
export async function distrustOf(
  ports: UpdatePorts,
  model: ServedModel,
  signal: AbortSignal,
): Promise<AgentError | undefined> {
  const distrust = await distrustOfKept(ports, model)
  if (distrust === undefined) return undefined
  const kept = await ports.manifests.read(model.manifestSha256)
  const held = await heldManifest(ports, model, signal)
  if (kept === undefined || held === undefined || (await distrustIn(ports, held, model)) !== undefined)
    return distrust
  if (Buffer.compare(keptPayload(held), keptPayload(kept)) !== 0) return distrust
  await ports.slots.renameManifest(model.deploymentId, await ports.manifests.write(held))
  return undefined
}

async function distrustIn(
  ports: Pick<UpdatePorts, 'trust'>,
  envelope: Uint8Array,
  { model, version }: ServedModel,
): Promise<AgentError | undefined> {
  try {
    openEnvelope(envelope, manifestPayloadType, await ports.trust())
    return undefined
  } catch (thrown) {
    return wrapError(
      thrown,
      'trust.signature_invalid',
      `the signature of ${model} ${version} is not believed`,
    )
  }
}

async function heldManifest(
  { manifests, clock }: UpdatePorts,
  { model, version }: ServedModel,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const patience = new AbortController()
  const found = new AbortController()
  void clock.sleep(fetchMs, found.signal).then(() => {
    patience.abort()
  })
  try {
    return await manifests.fetch(model, version, AbortSignal.any([signal, patience.signal]))
  } catch {
    // Not there, or the broker is away: what is kept decides.
    return undefined
  } finally {
    found.abort()
  }
}
