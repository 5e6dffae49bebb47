/**
 * What the works of the states have in common. Each is one file: it does the work of a state and returns the event that
 * ends it. Invariant: a work may be done twice with the same result; it rejects with an AgentError only.
 */

import { keptManifest } from '../../protocol/kept-manifest.js'
import { AgentError } from '../../base/errors.js'
import type { Artefact } from '../../protocol/blob.js'
import type { Manifest, Variant } from '../../protocol/manifest.js'
import type { MeasuredVariant } from '../choose-variant.js'
import type { WorkProgress } from '../deployment-message.js'
import type { DeploymentRecord } from '../deployment-record.js'
import type { UpdateEvent } from '../events.js'
import type { ServedModel, UpdatePorts } from '../ports.js'
import type { UpdaterOptions } from '../updater-options.js'

export interface WorkContext {
  readonly ports: UpdatePorts
  readonly options: UpdaterOptions
  readonly deployment: DeploymentRecord
  /** Aborts when the deployment is superseded or the agent stops. */
  readonly signal: AbortSignal
  onProgress(progress: WorkProgress): void
  /** Whether this version was committed on this device before: then it has been accepted, and passes no gate again. */
  readonly wasCommitted: boolean
  /** What the trial of this process found; a restart loses it. */
  readonly measured: MeasuredVariant[]
}

export type WorkFunction = (context: WorkContext) => Promise<UpdateEvent>

/** The manifest that this deployment accepted. Throws `bundle.file_missing` when it was lost. */
export async function acceptedManifest({ ports, deployment }: WorkContext): Promise<Manifest> {
  const { manifestSha256, model, version } = deployment
  const bytes = manifestSha256 === undefined ? undefined : await ports.manifests.read(manifestSha256)
  if (bytes === undefined) {
    throw new AgentError('bundle.file_missing', `the manifest of ${model} ${version} is not in the store`)
  }
  return keptManifest(bytes)
}

/** The variants of the shortlist, in its order. */
export function shortlistedVariants(manifest: Manifest, { shortlist }: DeploymentRecord): readonly Variant[] {
  return shortlist.flatMap((id) => manifest.variants.find((variant) => variant.id === id) ?? [])
}

/** Every file that the shortlist needs, the golden set included. */
export function neededArtefacts(manifest: Manifest, deployment: DeploymentRecord): readonly Artefact[] {
  const variants = shortlistedVariants(manifest, deployment).map(({ artefact }) => artefact)
  return manifest.golden === undefined ? variants : [...variants, manifest.golden.artefact]
}

/** The chosen variant as the slots keep it. */
export function servedModelOf(manifest: Manifest, deployment: DeploymentRecord): ServedModel {
  const { id, model, version, manifestSha256, variantId, why } = deployment
  const variant = manifest.variants.find((each) => each.id === variantId)
  if (variant === undefined || manifestSha256 === undefined) {
    throw new AgentError(
      'bundle.file_missing',
      `variant ${variantId ?? 'none'} is not in ${model} ${version}`,
    )
  }
  const golden = manifest.golden === undefined ? [] : [manifest.golden.artefact.sha256]
  return {
    deploymentId: id,
    model,
    version,
    sequence: manifest.sequence,
    variantId: variant.id,
    manifestSha256,
    blobSha256s: [variant.artefact.sha256, ...golden],
    sinceMs: 0,
    ...(why !== undefined && { why }),
  }
}
