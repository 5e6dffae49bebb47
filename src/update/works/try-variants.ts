/**
 * trial: each variant of the shortlist is measured where it may crash; the best that passes the gate is chosen.
 * Invariant: a variant whose accuracy on the golden set falls below the gate is never chosen, however fast it is.
 */

import { sha256Of } from '../../base/digest.js'
import { AgentError, errorCodeOf } from '../../base/errors.js'
import type { Manifest, Variant } from '../../protocol/manifest.js'
import type { AccuracyFigures } from '../../protocol/measurement.js'
import type { TrialFigures } from '../../protocol/report.js'
import { chooseVariant, type MeasuredVariant } from '../choose-variant.js'
import { reasonLine } from '../deployment-message.js'
import type { DiscardedVariant } from '../deployment-record.js'
import type { ActiveFigures, TrialResult } from '../ports.js'
import { slownessBeside } from '../slowness.js'
import { acceptedManifest, shortlistedVariants, type WorkContext, type WorkFunction } from './work.js'

interface Trial {
  readonly variant: Variant
  readonly result: TrialResult
  readonly refusal?: Refusal
}

/** Why a variant may not serve. */
interface Refusal {
  readonly code: string
  readonly reason: string
}

/** Differences in latency below this are the machine's, milliseconds. */
const latencySlackMs = 10

export const tryVariants: WorkFunction = async (context) => {
  const { ports, options, deployment, signal } = context
  const manifest = await acceptedManifest(context)
  const variants = shortlistedVariants(manifest, deployment)
  const { active } = ports.slots.state
  const activeFigures =
    active === undefined ? undefined : await ports.trials.measureActive(manifest, active, signal)
  const trials: Trial[] = []
  for (const [index, variant] of variants.entries()) {
    const result = await measure(context, manifest, variant, (progress) => {
      context.onProgress({ progress: (index + progress) / variants.length })
    })
    const refusal = refusalOf(context, variant, result, activeFigures)
    trials.push({ variant, result, ...(refusal !== undefined && { refusal }) })
    ports.logger.debug({ variant: variant.id, result, refusal }, 'variant measured')
  }
  const passed = trials.flatMap(({ variant, result, refusal }): MeasuredVariant[] =>
    refusal === undefined && result.state === 'measured' ? [{ variant, ...result }] : [],
  )
  const refused = trials.flatMap(({ variant, refusal }): DiscardedVariant[] =>
    refusal === undefined ? [] : [{ variant: variant.id, reason: reasonLine(refusal.reason) }],
  )
  if (passed.length === 0) {
    report(context, trials, undefined, refused)
    throw refusalOfAll(trials, refused)
  }
  const { served } = ports.serving
  const isServing = served?.model === deployment.model && served.version === deployment.version
  const incumbent = isServing ? served.variantId : undefined
  const choice = chooseVariant(passed, options.selection, incumbent)
  ports.logger.debug({ variant: choice.chosen.variant.id, why: choice.why, incumbent }, 'variant chosen')
  context.measured.push(...passed)
  const discarded = [...refused, ...choice.discarded]
  report(context, trials, choice.chosen.variant.id, discarded)
  if (choice.chosen.variant.id === incumbent) {
    const problem = `${incumbent} stays after ${deployment.reconsidered ?? 'another measurement'}: ${choice.why}`
    throw new AgentError('deployment.variant_kept', problem)
  }
  return { kind: 'chosen', variantId: choice.chosen.variant.id, why: choice.why, discarded }
}

/** Measures a variant, or takes what was measured before under the same conditions. */
async function measure(
  { ports, signal }: WorkContext,
  manifest: Manifest,
  variant: Variant,
  onProgress: (progress: number) => void,
): Promise<TrialResult> {
  const conditions = await ports.trials.conditions(variant)
  const golden = manifest.golden?.artefact.sha256 ?? 'none'
  const key = sha256Of([variant.artefact.sha256, golden, conditions].join('\n'))
  const known = asMeasured(await ports.measurements.get(key))
  if (known !== undefined) return known
  const result = await ports.trials.measure({ manifest, variant, signal, onProgress })
  if (signal.aborted)
    throw new AgentError('deployment.run_interrupted', `the trial of ${variant.id} was ended`)
  if (result.state === 'measured') await ports.measurements.set(key, result)
  return result
}

function asMeasured(value: unknown): TrialResult | undefined {
  const isMeasured =
    typeof value === 'object' && value !== null && 'state' in value && value.state === 'measured'
  return isMeasured ? (value as TrialResult) : undefined
}

/** Why the variant may not serve, or undefined. */
function refusalOf(
  context: WorkContext,
  variant: Variant,
  result: TrialResult,
  active: ActiveFigures | undefined,
): Refusal | undefined {
  if (result.state === 'failed') return { code: result.error.code, reason: result.error.message }
  if (context.wasCommitted) return undefined
  const inaccuracy = inaccuracyOf(context, variant, result.accuracy, active?.accuracy)
  if (inaccuracy !== undefined) return { code: 'deployment.accuracy_low', reason: inaccuracy }
  const slowness = slownessOf(context, result, active)
  return slowness === undefined ? undefined : { code: 'deployment.latency_high', reason: slowness }
}

/** A serving version that is measured anew has been accepted as it is. */
function slownessOf(
  { options, deployment }: WorkContext,
  candidate: ActiveFigures & { readonly provider: string },
  active: ActiveFigures | undefined,
): string | undefined {
  if (active === undefined || deployment.reconsidered !== undefined) return undefined
  const factor = options.acceptance.activeLatencyFactorMax
  const slowness = slownessBeside(
    { wallMs: candidate.latency.p50Ms, cpuMs: candidate.cpuMs, reference: candidate.reference },
    { wallMs: active.latency.p50Ms, cpuMs: active.cpuMs, reference: active.reference },
    {
      factorMax: factor,
      slackMs: latencySlackMs,
      quantile: 'p50Ms',
      isOnProcessors: candidate.provider === 'cpu',
    },
  )
  if (slowness === undefined) return undefined
  const { takenMs, standardMs, isOnProcessors } = slowness
  const taken = `${takenMs.toFixed(1)} ms (${isOnProcessors ? 'of processor time' : 'median'}) a frame`
  return `takes ${taken}, the active model ${standardMs.toFixed(1)} ms; allowed are ${factor} times as much`
}

function inaccuracyOf(
  { options }: WorkContext,
  variant: Variant,
  accuracy: AccuracyFigures | undefined,
  active: AccuracyFigures | undefined,
): string | undefined {
  if (accuracy === undefined) return undefined
  const { expectedDropMax, activeDropMax } = options.acceptance
  const { expected } = variant
  if (expected?.dataset === accuracy.dataset && accuracy.map < expected.map - expectedDropMax) {
    return `mAP ${accuracy.map.toFixed(3)} on the golden set, expected ${expected.map.toFixed(3)} less at most ${expectedDropMax}`
  }
  if (active !== undefined && accuracy.map < active.map - activeDropMax) {
    return `mAP ${accuracy.map.toFixed(3)} on the golden set, the active model has ${active.map.toFixed(3)}; allowed are ${activeDropMax} less`
  }
  return undefined
}

/** One error for the whole: the code that all refusals share, that of the accuracy gate, or that of failed trials. */
function refusalOfAll(trials: readonly Trial[], refused: readonly DiscardedVariant[]): AgentError {
  const reasons = refused.map(({ variant, reason }) => `${variant}: ${reason}`).join('; ')
  const codes = [...new Set(trials.flatMap(({ refusal }) => refusal?.code ?? []))]
  const shared = codes.length === 1 ? errorCodeOf(codes[0]!) : undefined
  const isGated = codes.includes('deployment.accuracy_low')
  const code = shared ?? (isGated ? 'deployment.accuracy_low' : 'deployment.trial_failed')
  return new AgentError(code, `no variant passed its trial: ${reasons}`)
}

function report(
  { ports, deployment }: WorkContext,
  trials: readonly Trial[],
  chosen: string | undefined,
  discarded: readonly DiscardedVariant[],
): void {
  const figures = trials.map(({ variant, result }): TrialFigures => {
    const reason = discarded.find((each) => each.variant === variant.id)?.reason
    const said = {
      variant: variant.id,
      chosen: variant.id === chosen,
      ...(reason !== undefined && { reason: reasonLine(reason) }),
    }
    if (result.state === 'failed') return { ...said, provider: 'none' }
    const { provider, latency, memoryBytes, accuracy } = result
    return { ...said, provider, latency, memoryBytes, ...(accuracy !== undefined && { accuracy }) }
  })
  ports.reporting.report({
    at: new Date(ports.clock.wallMs()).toISOString(),
    id: `${deployment.id}-${deployment.attempt}-trial`,
    kind: 'trial',
    model: deployment.model,
    version: deployment.version,
    ...(chosen !== undefined && { variant: chosen }),
    trials: figures,
  })
}
