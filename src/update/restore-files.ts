/**
 * The files of a deployed model, proven right or fetched again.
 * Invariant: a manifest that comes from the network is believed only when it is signed, and is of the version that was
 * asked for.
 */

import { keptManifest } from '../protocol/kept-manifest.js'
import type { Sha256 } from '../base/sha256.js'
import { AgentError, isAgentError } from '../base/errors.js'
import type { Artefact } from '../protocol/blob.js'
import { openEnvelope } from '../protocol/envelope.js'
import { type Manifest, manifestPayloadType, parseManifest } from '../protocol/manifest.js'
import type { ServedModel, UpdatePorts } from './ports.js'

/** Whether a model could not be opened because of its files, so that opening it again without fetching them is of no use. */
export function isFileFault(thrown: unknown): boolean {
  return isAgentError(
    thrown,
    'integrity.digest_mismatch',
    'integrity.size_mismatch',
    'bundle.file_missing',
    'model.file_unreadable',
  )
}

type FileState = 'intact' | 'absent' | 'corrupt'

/** What is wrong with the files of `model`, each looked at by `stateOf`; undefined when nothing is. */
export async function faultIn(
  { manifests }: Pick<UpdatePorts, 'manifests'>,
  { model, version, manifestSha256, blobSha256s }: ServedModel,
  stateOf: (sha256: Sha256) => Promise<FileState>,
): Promise<AgentError | undefined> {
  if ((await manifests.read(manifestSha256)) === undefined)
    return new AgentError('bundle.file_missing', `the manifest of ${model} ${version} is lost on this device`)
  for (const sha256 of blobSha256s) {
    const state = await stateOf(sha256)
    if (state === 'intact') continue
    const problem = `file ${sha256} of ${model} ${version} is ${state === 'absent' ? 'gone' : 'damaged'} on this device`
    return new AgentError('integrity.digest_mismatch', problem)
  }
  return undefined
}

/**
 * Fetches what is missing of `model` and proves it. Returns the model as it stands in the slots afterwards; undefined when
 * the broker has this version with other files. Waits while offline, until `signal` aborts.
 * Throws `network.*`, `resource.*`, `trust.*`, `bundle.file_missing`, `integrity.digest_mismatch`.
 */
export async function restoreFiles(
  ports: UpdatePorts,
  model: ServedModel,
  signal: AbortSignal,
): Promise<ServedModel | undefined> {
  const kept = await ports.manifests.read(model.manifestSha256)
  if (kept !== undefined) {
    try {
      await restoreArtefacts(ports, model, keptManifest(kept), signal)
      return model
    } catch (thrown) {
      // What the broker does not have of this manifest it may have of a newer one.
      if (!isAgentError(thrown, 'network.chunk_missing') || signal.aborted) throw thrown
      const fetched = await fetchManifest(ports, model, signal)
      if (Buffer.compare(fetched, kept) === 0) throw thrown
    }
  }
  const bytes = await fetchManifest(ports, model, signal)
  const manifest = keptManifest(bytes)
  const variant = manifest.variants.find(({ id }) => id === model.variantId)
  const golden = manifest.golden === undefined ? [] : [manifest.golden.artefact.sha256]
  const files = variant === undefined ? [] : [variant.artefact.sha256, ...golden]
  if (files.join() !== model.blobSha256s.join()) return undefined
  const manifestSha256 = await ports.manifests.write(bytes)
  await ports.slots.renameManifest(model.deploymentId, manifestSha256)
  const renamed = { ...model, manifestSha256 }
  await restoreArtefacts(ports, renamed, manifest, signal)
  return renamed
}

async function fetchManifest(
  ports: UpdatePorts,
  { model, version }: ServedModel,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const bytes = await ports.manifests.fetch(model, version, signal)
  const manifest = parseManifest(openEnvelope(bytes, manifestPayloadType, await ports.trust()).payload)
  if (manifest.model === model && manifest.version === version) return bytes
  const problem = `cannot accept the manifest of ${model} ${version}: it was signed for ${manifest.model} ${manifest.version}`
  throw new AgentError('trust.signature_invalid', problem)
}

async function restoreArtefacts(
  { artefacts }: UpdatePorts,
  { model, version, blobSha256s }: ServedModel,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<void> {
  const golden = manifest.golden === undefined ? [] : [manifest.golden.artefact]
  const known: readonly Artefact[] = [...manifest.variants.map(({ artefact }) => artefact), ...golden]
  for (const sha256 of blobSha256s) {
    if ((await artefacts.prove(sha256)) === 'intact') continue
    const artefact = known.find((each) => each.sha256 === sha256)
    if (artefact === undefined)
      throw new AgentError(
        'bundle.file_missing',
        `file ${sha256} is not in the manifest of ${model} ${version}`,
      )
    await artefacts.obtain({ artefact, signal, onBytes: () => undefined })
    const state = await artefacts.verify(sha256)
    if (state === 'intact') continue
    const problem = `file ${sha256} of ${model} ${version} is ${state} right after it was fetched`
    throw new AgentError('integrity.digest_mismatch', problem)
  }
}
