/**
 * From a deployed model in the store to an opened, warm one.
 * Invariant: class names come from the signed manifest; the file is the one the manifest names.
 */

import { availableParallelism } from 'node:os'
import { AgentError } from '../../base/errors.js'
import type { Config } from '../../config/config.js'
import type { LoadedModel } from '../../pipeline/model-slot.js'
import { openEnvelope } from '../../protocol/envelope.js'
import { type Manifest, manifestPayloadType, parseManifest, type Variant } from '../../protocol/manifest.js'
import { openDetector } from '../../runtime/detector.js'
import type { SessionOptions } from '../../runtime/session-options.js'
import type { Store } from '../../store/store.js'
import type { ServedModel } from '../../update/ports.js'
import { describeModelFile } from './describe-model.js'

/** An opened model that knows its deployment. */
export interface ServingModel extends LoadedModel {
  readonly served: ServedModel
  readonly provider: string
}

/** Opens `served` and warms it up. Throws `bundle.file_missing`, `model.*`, `inference.*`. */
export async function openServedModel(
  store: Store,
  inference: Config['inference'],
  served: ServedModel,
): Promise<ServingModel> {
  const manifest = await readManifest(store, served)
  const variant = variantOf(manifest, served)
  const path = store.blobs.pathOf(variant.artefact.sha256)
  const description = await describeModelFile(path)
  const named = { ...description, classNames: [...manifest.classNames] }
  const detector = await openDetector({ path, description: named }, sessionOptionsOf(inference, variant))
  const { model, version, variantId } = served
  return { served, detector, provider: detector.provider, identity: { model, version, variant: variantId } }
}

/** The session options of `variant`: the configured providers, those that the variant is meant for first. */
export function sessionOptionsOf(inference: Config['inference'], variant: Variant): SessionOptions {
  const meant = inference.providers.filter((name) => variant.providers.includes(name))
  return {
    ...libraryOptionsOf(inference),
    providers: meant.length > 0 ? meant : inference.providers,
    intraOpThreads: inference.threads > 0 ? inference.threads : Math.max(1, availableParallelism()),
  }
}

/** The library that is used instead of the one that came along, and the options of its providers. */
export function libraryOptionsOf({
  library,
  providerOptions,
}: Config['inference']): Pick<SessionOptions, 'library' | 'providerOptions'> {
  if (library === '') return {}
  const byProvider: Record<string, Record<string, string>> = {}
  for (const entry of providerOptions) {
    const [, provider = '', key = '', value = ''] = /^([^.]+)\.([^=]+)=(.*)$/.exec(entry) ?? []
    byProvider[provider] = { ...byProvider[provider], [key]: value }
  }
  return { library, providerOptions: byProvider }
}

async function readManifest(store: Store, served: ServedModel): Promise<Manifest> {
  const bytes = await store.manifests.read(served.manifestSha256)
  if (bytes === undefined) {
    const problem = `cannot serve ${served.model} ${served.version}: its manifest is not in the store`
    throw new AgentError('bundle.file_missing', problem)
  }
  // It was verified before it was kept, and is found by the digest of exactly those bytes.
  const { payload } = openEnvelope(bytes, manifestPayloadType, { keys: [], allowUnsigned: true })
  return parseManifest(payload)
}

function variantOf(manifest: Manifest, served: ServedModel): Variant {
  const variant = manifest.variants.find(({ id }) => id === served.variantId)
  if (variant !== undefined) return variant
  const problem = `cannot serve variant ${served.variantId}: the manifest of ${served.model} ${served.version} has none of that name`
  throw new AgentError('bundle.file_missing', problem)
}
