/**
 * Which variants can run here, best guess first.
 * Invariant: every variant is either in the list or discarded with one sentence why.
 */

import { type Variant, variantForms } from '../protocol/manifest.js'
import { policyScore, type SelectionPolicy } from './choose-variant.js'
import type { DiscardedVariant } from './deployment-record.js'
import type { DeviceProfile } from './ports.js'

export interface Eligibility {
  readonly variants: readonly Variant[]
  readonly discarded: readonly DiscardedVariant[]
}

/** Memory that a session takes beside its file: activations, arena and the runtime's own copy of the weights. */
const memoryPerFileByte = 3
const memoryFixedBytes = 64 * 1024 * 1024

type Check = (variant: Variant, profile: DeviceProfile) => string | undefined

const checks: readonly Check[] = [
  ({ kind }, { kinds }) => (kinds.includes(kind) ? undefined : `${kind} files cannot be loaded here`),
  ({ artefact: { encoding } }, { encodings }) =>
    encodings.includes(encoding) ? undefined : `encoding ${encoding} is not known here`,
  ({ form }) => (variantForms.includes(form) ? undefined : `outputs of the form ${form} are not known here`),
  ({ providers }, profile) =>
    providers.length === 0 || providers.some((name) => profile.providers.includes(name))
      ? undefined
      : `needs ${providers.join(' or ')}; proven here: ${profile.providers.join(', ')}`,
  ({ cpuNeeds }, { cpuFeatures }) => {
    const missing = cpuNeeds.filter((need) => !need.split('|').some((name) => cpuFeatures.includes(name)))
    const told = missing.map((need) => need.replaceAll('|', ' or '))
    return missing.length === 0 ? undefined : `needs CPU instructions ${told.join(', ')}`
  },
  ({ kind, int8Target }, { int8Targets }) =>
    kind !== 'onnx' || int8Target === undefined || int8Targets.includes(int8Target)
      ? undefined
      : `int8 for ${int8Target}; fitting here: ${int8Targets.join(', ') || 'none'}`,
  ({ artefact }, { memoryBytes }) => {
    const neededBytes = artefact.sizeBytes * memoryPerFileByte + memoryFixedBytes
    return neededBytes <= memoryBytes
      ? undefined
      : `needs about ${toMega(neededBytes)} MB of memory, ${toMega(memoryBytes)} MB are free`
  },
  ({ platform }, profile) => {
    if (platform?.chip !== undefined && !profile.chips.includes(platform.chip))
      return `made for ${platform.chip}, here is ${profile.chips.join(', ') || 'no chip of that name'}`
    if (platform?.runtime === undefined) return undefined
    const version = profile.platformRuntimes[platform.runtime]
    if (version === undefined) return `needs ${platform.runtime}`
    const isFit = platform.runtimeVersion === undefined || platform.runtimeVersion === version
    return isFit ? undefined : `needs ${platform.runtime} ${platform.runtimeVersion}, here is ${version}`
  },
]

/** Sorts `variants` into those that can run under `profile`, the best guess for `selection` first, and the others. */
export function eligibleVariants(
  variants: readonly Variant[],
  profile: DeviceProfile,
  selection: SelectionPolicy,
): Eligibility {
  const fit: Variant[] = []
  const discarded: DiscardedVariant[] = []
  for (const variant of variants) {
    const reason = firstReason(variant, profile)
    if (reason === undefined) fit.push(variant)
    else discarded.push({ variant: variant.id, reason })
  }
  const rankOf = (variant: Variant): number => guessedScore(variant, profile, selection)
  return { variants: fit.sort((a, b) => rankOf(b) - rankOf(a)), discarded }
}

function firstReason(variant: Variant, profile: DeviceProfile): string | undefined {
  for (const check of checks) {
    const reason = check(variant, profile)
    if (reason !== undefined) return reason
  }
  return undefined
}

/** What {@link policyScore} will say of the variant, guessed; one below the policy's floor comes after all others. */
function guessedScore(variant: Variant, profile: DeviceProfile, selection: SelectionPolicy): number {
  const map = variant.expected?.map
  const misses = selection.policy === 'latency-first' && map !== undefined && map < selection.mapFloor
  return policyScore(selection.policy, map, guessedCost(variant, profile)) - (misses ? 1000 : 0)
}

/**
 * A guess at the time of one frame, only for the order of the trials: multiply-accumulates, less where the format is one
 * that this machine computes fast.
 */
function guessedCost(variant: Variant, profile: DeviceProfile): number {
  const prefers = variant.cpuPrefers
  const hasPreferred = prefers.length === 0 || prefers.some((name) => profile.cpuFeatures.includes(name))
  return (
    variant.macs *
    formatFactor(variant, profile) *
    (hasPreferred ? 1 : 1.5) *
    (variant.form === 'edge' ? 0.95 : 1)
  )
}

/** An accelerator first, then the int8 layout that the CPU likes best, then any other int8 layout. */
function formatFactor({ kind, providers, int8Target, precision }: Variant, profile: DeviceProfile): number {
  if (kind !== 'onnx') return 0.1
  if (providers.some((name) => name !== 'cpu' && profile.providers.includes(name))) return 0.2
  if (int8Target !== undefined && int8Target === profile.int8Targets[0]) return 0.4
  return precision === 'int8' || int8Target !== undefined ? 0.7 : 1
}

function toMega(bytes: number): string {
  return (bytes / 1e6).toFixed(0)
}
