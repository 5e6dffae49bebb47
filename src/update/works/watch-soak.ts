/** soaking: the new model serves, and is watched: errors, latency, agreement. A breach brings the previous one back. */

import { AgentError } from '../../base/errors.js'
import type { MeasuredVariant } from '../choose-variant.js'
import type { SoakWindow } from '../ports.js'
import { type Slowness, slownessBeside } from '../slowness.js'
import type { WorkContext, WorkFunction } from './work.js'

/** Of a small model, waking threads for single frames takes more than computing: differences below this decide nothing, ms. */
const slackMs = 5

export const watchSoak: WorkFunction = async (context) => {
  try {
    return await watch(context)
  } finally {
    await context.ports.soakWatch.end()
  }
}

const watch: WorkFunction = async (context) => {
  const { ports, options, signal } = context
  const { soakMs, soakWindowMs } = options.acceptance
  let leftMs = soakMs
  let frames = 0
  let errors = 0
  let slowWindows = 0
  let last: SoakWindow | undefined
  while (leftMs > 0) {
    const windowMs = Math.min(soakWindowMs, leftMs)
    last = await ports.soakWatch.observe(windowMs, signal)
    frames += last.frames
    errors += last.errors
    leftMs -= windowMs
    requireHealthy(context, last)
    const slowness = slownessOf(context, last)
    slowWindows = slowness === undefined ? 0 : slowWindows + 1
    // One slow window may be the machine's; two in a row, or the last, are the model's.
    if (slowness !== undefined && (slowWindows > 1 || leftMs <= 0)) throw tooSlow(context, slowness)
    context.onProgress({ progress: 1 - leftMs / soakMs, etaMs: leftMs })
  }
  report(context, frames, errors, last)
  return { kind: 'soaked' }
}

function trialOf({ deployment, measured }: WorkContext): MeasuredVariant | undefined {
  return measured.find(({ variant }) => variant.id === deployment.variantId)
}

function slownessOf(
  context: WorkContext,
  { frames, latencyP95Ms, cpuMs, reference }: SoakWindow,
): Slowness | undefined {
  const trial = trialOf(context)
  if (context.wasCommitted || frames === 0 || trial === undefined) return undefined
  return slownessBeside(
    { wallMs: latencyP95Ms, cpuMs, reference },
    { wallMs: trial.latency.p95Ms, cpuMs: trial.cpuMs, reference: trial.reference },
    {
      factorMax: context.options.acceptance.latencyFactorMax,
      slackMs,
      quantile: 'p95Ms',
      isOnProcessors: trial.provider === 'cpu',
    },
  )
}

function tooSlow({ deployment }: WorkContext, { takenMs, limitMs, isOnProcessors }: Slowness): AgentError {
  const { model, version } = deployment
  const taken = `${takenMs.toFixed(1)} ms ${isOnProcessors ? 'of processor time a frame' : '(p95)'}`
  const problem = `${model} ${version} takes ${taken} while serving, expected at most ${limitMs.toFixed(1)} ms`
  return new AgentError('deployment.soak_failed', problem)
}

/** Where both were measured on pictures with labels, the labels have decided: a better model may well see other things. */
function isComparedByLabels({ measured, deployment, wasCommitted }: WorkContext): boolean {
  if (wasCommitted) return true
  return measured.some(
    ({ variant, accuracy }) => variant.id === deployment.variantId && accuracy !== undefined,
  )
}

function requireHealthy(context: WorkContext, window: SoakWindow): void {
  const { options, deployment } = context
  const { errorShareMax, agreementMin } = options.acceptance
  const total = window.frames + window.errors
  if (total === 0) return
  const name = `${deployment.model} ${deployment.version}`
  if (window.errors / total > errorShareMax) {
    const problem = `${name} failed on ${window.errors} of ${total} frames, allowed are ${errorShareMax * 100} %`
    throw new AgentError('deployment.soak_failed', problem)
  }
  if (window.agreement !== undefined && window.agreement < agreementMin && !isComparedByLabels(context)) {
    const problem = `${name} agrees with the previous model on ${(window.agreement * 100).toFixed(0)} % of what it sees, expected at least ${agreementMin * 100} %`
    throw new AgentError('deployment.soak_failed', problem)
  }
}

function report(
  { ports, options, deployment, measured }: WorkContext,
  frames: number,
  errors: number,
  last: SoakWindow | undefined,
): void {
  const trial = measured.find(({ variant }) => variant.id === deployment.variantId)
  ports.reporting.report({
    at: new Date(ports.clock.wallMs()).toISOString(),
    id: `${deployment.id}-${deployment.attempt}-soak`,
    kind: 'soak',
    model: deployment.model,
    version: deployment.version,
    ...(deployment.variantId !== undefined && { variant: deployment.variantId }),
    ...(trial !== undefined && { provider: trial.provider, memoryBytes: trial.memoryBytes }),
    ...(trial?.accuracy !== undefined && { accuracy: trial.accuracy }),
    ...(last?.agreement !== undefined && { agreement: last.agreement }),
    periodMs: options.acceptance.soakMs,
    frames,
    errors,
  })
}
