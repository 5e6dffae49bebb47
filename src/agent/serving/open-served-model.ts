/**
 * From a deployed model in the store to an opened, warm one.
 * Invariant: class names come from the signed manifest; the file is the one the manifest names, and has the digest that
 * stands there.
 */

import { availableParallelism } from 'node:os'
import { keptManifest } from '../../protocol/kept-manifest.js'
import { AgentError } from '../../base/errors.js'
import type { Sha256 } from '../../base/sha256.js'
import type { Config } from '../../config/config.js'
import type { LoadedModel } from '../../pipeline/model-slot.js'
import { inputSizeOf, type Manifest, type Variant } from '../../protocol/manifest.js'
import type { HardwareProfile } from '../../hardware/hardware-profile.js'
import { type Detector, openDetector } from '../../runtime/detector.js'
import { openRunnerDetector, runnerDescription } from '../../runtime/runner/runner-detector.js'
import type { SessionOptions } from '../../runtime/session-options.js'
import type { Store } from '../../store/store.js'
import type { ServedModel } from '../../update/ports.js'
import type { ProvenRunner } from '../trial/device-profile.js'
import { describeModelFile } from './describe-model.js'
import type { Engines } from './engines.js'

/** An opened model that knows its deployment. */
export interface ServingModel extends LoadedModel {
  readonly served: ServedModel
  readonly provider: string
}

/** What models are opened with. */
export interface ServingMeans {
  /** Scheduling priority of the model's thread, 0 to 19 (last); the runtime's own choice unless given. */
  readonly niceness?: number
  readonly store: Store
  readonly inference: Config['inference']
  readonly hardware: HardwareProfile
  readonly engines: Engines
  readonly runners: readonly ProvenRunner[]
}

/** Opens `served` and warms it up. Throws `bundle.file_missing`, `integrity.digest_mismatch`, `model.*`, `inference.*`. */
export async function openServedModel(means: ServingMeans, served: ServedModel): Promise<ServingModel> {
  const { store } = means
  const manifest = await readManifest(store, served)
  const variant = variantOf(manifest, served)
  await requireIntact(store, served, variant.artefact.sha256)
  const path = store.blobs.pathOf(variant.artefact.sha256)
  const detector =
    variant.kind === 'onnx'
      ? await openOnnx(means, path, manifest, variant)
      : await openRunnerDetector(commandFor(variant, means.runners), {
          path,
          description: runnerDescription(inputSizeOf(manifest, variant), manifest.classNames),
        })
  const { model, version, variantId } = served
  return { served, detector, provider: detector.provider, identity: { model, version, variant: variantId } }
}

async function openOnnx(
  { inference, engines, hardware, niceness }: ServingMeans,
  path: string,
  manifest: Manifest,
  variant: Variant,
): Promise<Detector> {
  const description = { ...(await describeModelFile(path)), classNames: [...manifest.classNames] }
  const { session, engine } = await engines.place(
    { ...sessionOptionsOf(inference, variant), ...(niceness !== undefined && { niceness }) },
    variant.artefact.sha256,
    hardware,
  )
  const detector = await openDetector({ path, description }, session)
  if (engine?.isBuilt === false) await engine.complete(detector.info.loadMs)
  return detector
}

function commandFor({ id, kind }: Variant, runners: readonly ProvenRunner[]): readonly string[] {
  const runner = runners.find((each) => each.kind === kind)
  if (runner !== undefined) return runner.command
  throw new AgentError(
    'inference.provider_unavailable',
    `cannot serve variant ${id}: no runner of ${kind} files answers`,
    {
      hint: 'name its command in inference.runners; yolo-edge doctor tries it',
    },
  )
}

/** The session options of `variant`: the configured providers, those that the variant is meant for first. */
export function sessionOptionsOf(inference: Config['inference'], variant: Variant): SessionOptions {
  const meant = inference.providers.filter((name) => variant.providers.includes(name))
  return {
    ...libraryOptionsOf(inference),
    providers: meant.length > 0 ? meant : inference.providers,
    operators: inference.operators,
    intraOpThreads: inference.threads > 0 ? inference.threads : Math.max(1, availableParallelism()),
  }
}

/** The library that is used instead of the one that came along, and the options of its providers. */
export function libraryOptionsOf({
  library,
  providerOptions,
  providerLibraries,
}: Config['inference']): Pick<SessionOptions, 'library' | 'providerOptions' | 'providerLibraries'> {
  if (library === '') return {}
  const byProvider: Record<string, Record<string, string>> = {}
  for (const entry of providerOptions) {
    const [, provider = '', key = '', value = ''] = /^([^.]+)\.([^=]+)=(.*)$/.exec(entry) ?? []
    byProvider[provider] = { ...byProvider[provider], [key]: value }
  }
  const libraries = providerLibraries.map((entry) => {
    const cut = entry.indexOf('=')
    return [entry.slice(0, cut), entry.slice(cut + 1)] as const
  })
  return {
    library,
    providerOptions: byProvider,
    ...(libraries.length > 0 && { providerLibraries: Object.fromEntries(libraries) }),
  }
}

async function readManifest(store: Store, served: ServedModel): Promise<Manifest> {
  const bytes = await store.manifests.read(served.manifestSha256)
  if (bytes === undefined) {
    const problem = `cannot serve ${served.model} ${served.version}: its manifest is not in the store`
    throw new AgentError('bundle.file_missing', problem)
  }
  return keptManifest(bytes)
}

/** A file that has gone bad is gone from the store after this, so that it is fetched again. */
async function requireIntact(store: Store, { model, version }: ServedModel, sha256: Sha256): Promise<void> {
  const state = await store.blobs.prove(sha256)
  if (state === 'intact') return
  const problem = `cannot serve ${model} ${version}: its file ${sha256} is ${state === 'absent' ? 'gone' : 'damaged'}`
  throw new AgentError('integrity.digest_mismatch', problem)
}

function variantOf(manifest: Manifest, served: ServedModel): Variant {
  const variant = manifest.variants.find(({ id }) => id === served.variantId)
  if (variant !== undefined) return variant
  const problem = `cannot serve variant ${served.variantId}: the manifest of ${served.model} ${served.version} has none of that name`
  throw new AgentError('bundle.file_missing', problem)
}
