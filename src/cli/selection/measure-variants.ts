/**
 * Every variant of a bundle that can run here, measured as the trial of a device measures it, and the choice made of that.
 * Invariant: filters, order, measurement and policy are the update service's own; nothing is decided here.
 */

import { dirname, join } from 'node:path'
import { Engines } from '../../agent/serving/engines.js'
import type { ProvenRunner } from '../../agent/trial/device-profile.js'
import { createTrials, type TrialsOptions } from '../../agent/trial/trials.js'
import { updaterOptionsOf } from '../../agent/updater-options.js'
import type { Clock } from '../../base/clock.js'
import { silentLogger } from '../../base/logger.js'
import type { Config } from '../../config/config.js'
import type { Manifest, Variant } from '../../protocol/manifest.js'
import type { Store } from '../../store/store.js'
import { type Choice, chooseVariant, type MeasuredVariant } from '../../update/choose-variant.js'
import type { DiscardedVariant } from '../../update/deployment-record.js'
import { eligibleVariants } from '../../update/eligibility.js'

export interface VariantsOptions {
  readonly config: Config
  readonly clock: Clock
  /** Runner commands that answered; none unless given. */
  readonly runners?: readonly ProvenRunner[]
  readonly signal: AbortSignal
  /** Where the file tree of the machine begins, instead of this machine's; only for what is eligible. */
  readonly hardwareRoot?: string
  onProgress(fraction: number, variant: string): void
}

export interface MeasuredBundle {
  /** Eligible ones in the order of the guess before anything was measured. */
  readonly guessed: readonly Variant[]
  readonly measured: readonly MeasuredVariant[]
  /** Eligible ones whose trial failed, and those that cannot run here at all. */
  readonly failed: readonly DiscardedVariant[]
  readonly refused: readonly DiscardedVariant[]
  /** undefined when nothing could be measured. */
  readonly choice: Choice | undefined
}

/** Measures what `manifest` has for this machine; its files are in `store`. */
export async function measureVariants(
  manifest: Manifest,
  store: Store,
  options: VariantsOptions,
): Promise<MeasuredBundle> {
  const { config, signal } = options
  const { selection } = updaterOptionsOf(config)
  const trials = createTrials(trialsOptionsOf(store, options))
  const { variants, discarded } = eligibleVariants(manifest.variants, await trials.profile(), selection)
  const measured: MeasuredVariant[] = []
  const failed: DiscardedVariant[] = []
  for (const [index, variant] of variants.entries()) {
    const result = await trials.measure({
      manifest,
      variant,
      signal,
      onProgress: (part) => {
        options.onProgress((index + part) / variants.length, variant.id)
      },
    })
    if (result.state === 'measured') measured.push({ variant, ...result })
    else failed.push({ variant: variant.id, reason: `${result.error.code}: ${result.error.message}` })
  }
  return {
    guessed: variants,
    measured,
    failed,
    refused: discarded,
    choice: measured.length === 0 ? undefined : chooseVariant(measured, selection),
  }
}

function trialsOptionsOf(
  store: Store,
  { config, clock, hardwareRoot, runners = [] }: VariantsOptions,
): TrialsOptions {
  const { selection, inference } = config
  const engines = new Engines(join(dirname(store.layout.blobsFolder), 'engines'), silentLogger)
  return {
    store,
    selection,
    inference,
    runners,
    engines,
    clock,
    ...(hardwareRoot !== undefined && { hardwareRoot }),
  }
}
