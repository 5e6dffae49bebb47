/** soaking: the new model serves, and is watched: errors, latency, agreement. A breach brings the previous one back. */

import { AgentError } from '../../base/errors.js'
import type { MeasuredVariant } from '../choose-variant.js'
import type { SoakWindow } from '../ports.js'
import type { WorkContext, WorkFunction } from './work.js'

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
    slowWindows = isSlow(context, last) ? slowWindows + 1 : 0
    // One slow window may be the machine's; two in a row, or the last, are the model's.
    if (slowWindows > 1 || (slowWindows > 0 && leftMs <= 0)) throw tooSlow(context, last)
    context.onProgress({ progress: 1 - leftMs / soakMs, etaMs: leftMs })
  }
  report(context, frames, errors, last)
  return { kind: 'soaked' }
}

function trialOf({ deployment, measured }: WorkContext): MeasuredVariant | undefined {
  return measured.find(({ variant }) => variant.id === deployment.variantId)
}

function latencyLimitMs(context: WorkContext): number {
  const { options } = context
  return (trialOf(context)?.latency.p95Ms ?? Number.POSITIVE_INFINITY) * options.acceptance.latencyFactorMax
}

function isSlow(context: WorkContext, { frames, latencyP95Ms, cpuMs }: SoakWindow): boolean {
  if (context.wasCommitted || frames === 0 || latencyP95Ms <= latencyLimitMs(context)) return false
  const trial = trialOf(context)
  // A busy neighbor lengthens the time that passes, not the time on the processor.
  if (trial?.provider !== 'cpu' || trial.cpuMs === undefined || cpuMs === undefined) return true
  return cpuMs > trial.cpuMs * context.options.acceptance.latencyFactorMax
}

function tooSlow(context: WorkContext, { latencyP95Ms }: SoakWindow): AgentError {
  const { model, version } = context.deployment
  const limitMs = latencyLimitMs(context)
  const problem = `${model} ${version} takes ${latencyP95Ms.toFixed(1)} ms (p95) while serving, expected at most ${limitMs.toFixed(1)} ms`
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
