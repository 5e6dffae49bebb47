/** offered: is the version signed, new enough, and is anything of it for this device? */

import { AgentError } from '../../base/errors.js'
import { openEnvelope, type TrustPolicy } from '../../protocol/envelope.js'
import { type Manifest, manifestPayloadType, parseManifest, type Variant } from '../../protocol/manifest.js'
import type { DeploymentRecord } from '../deployment-record.js'
import { eligibleVariants } from '../eligibility.js'
import type { SlotsView } from '../ports.js'
import type { WorkFunction } from './work.js'

export const examineOffer: WorkFunction = async ({ ports, options, deployment, signal }) => {
  const { model, version } = deployment
  const { served } = ports.serving
  const incumbent = served?.model === model && served.version === version ? served : undefined
  // What serves was accepted once; its manifest is here, also while the broker is away.
  const known = incumbent === undefined ? undefined : await ports.manifests.read(incumbent.manifestSha256)
  const trust = await ports.trust()
  // Of a rotated key, the broker holds what another key has signed as well.
  const isKnown = known !== undefined && isTrusted(known, trust)
  const bytes = isKnown ? known : await ports.manifests.fetch(model, version, signal)
  const manifest = parseManifest(openEnvelope(bytes, manifestPayloadType, trust).payload)
  requireAsked(manifest, deployment)
  if (incumbent === undefined) requireTimely(manifest, ports.clock.wallMs())
  requireNewEnough(manifest, deployment, ports.slots.state)
  const { variants, discarded } = eligibleVariants(
    manifest.variants,
    await ports.trials.profile(),
    options.selection,
  )
  const { trialsMax } = options.selection
  const shortlist = shortlistOf(variants, trialsMax, incumbent?.variantId)
  const ids = (of: readonly Variant[]): readonly string[] => of.map(({ id }) => id)
  ports.logger.debug(
    { model, version, measured: ids(shortlist), eligible: ids(variants), discarded },
    'variants that may run here, the best guess first',
  )
  if (shortlist.length === 0) {
    const reasons = discarded.map(({ variant, reason }) => `${variant}: ${reason}`).join('; ')
    throw new AgentError('variant.none_eligible', `no variant of ${model} ${version} runs here: ${reasons}`)
  }
  const manifestSha256 = await ports.manifests.write(bytes)
  const untried = variants
    .filter((variant) => !shortlist.includes(variant))
    .map(({ id }) => ({
      variant: id,
      reason: `not among the ${trialsMax} best guesses that are measured`,
    }))
  return {
    kind: 'accepted',
    manifestSha256,
    shortlist: shortlist.map(({ id }) => id),
    discarded: [...discarded, ...untried],
  }
}

/** The best guesses, with the variant that serves among them: another one is only better than it when both are measured. */
function shortlistOf(
  variants: readonly Variant[],
  trialsMax: number,
  incumbent: string | undefined,
): readonly Variant[] {
  const best = variants.slice(0, trialsMax)
  const serving = variants.find(({ id }) => id === incumbent)
  return serving === undefined || best.includes(serving) ? best : [...best.slice(0, trialsMax - 1), serving]
}

/** A manifest that was signed for another version must not be served under this one's name. */
function requireAsked(manifest: Manifest, { model, version }: DeploymentRecord): void {
  if (manifest.model === model && manifest.version === version) return
  const problem = `cannot accept the manifest of ${model} ${version}: it was signed for ${manifest.model} ${manifest.version}`
  throw new AgentError('trust.signature_invalid', problem)
}

function requireNewEnough(
  { sequence }: Manifest,
  { model, version, allowDowngrade }: DeploymentRecord,
  { sequences }: SlotsView,
): void {
  const floor = Object.hasOwn(sequences, model) ? sequences[model]! : 0
  if (sequence >= floor || allowDowngrade) return
  const problem = `cannot accept ${model} ${version}: its sequence is ${sequence}, expected at least ${floor}`
  throw new AgentError('trust.sequence_stale', problem, {
    hint: 'publish it with a higher sequence, or with --allow-downgrade',
  })
}

function isTrusted(bytes: Uint8Array, trust: TrustPolicy): boolean {
  try {
    openEnvelope(bytes, manifestPayloadType, trust)
    return true
  } catch {
    return false
  }
}

/** Throws `trust.manifest_expired` for a version that may not be taken up any more. */
function requireTimely({ model, version, expiresAt }: Manifest, nowMs: number): void {
  if (expiresAt === undefined || Date.parse(expiresAt) > nowMs) return
  const now = new Date(nowMs).toISOString()
  const problem = `cannot accept ${model} ${version}: it could be taken up until ${expiresAt}, and the clock here says ${now}`
  throw new AgentError('trust.manifest_expired', problem)
}
