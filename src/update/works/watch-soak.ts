/** soaking: the new model serves, and is watched: errors, latency, agreement. A breach brings the previous one back. */

import { AgentError } from '../../base/errors.js'
import type { SoakWindow } from '../ports.js'
import type { WorkContext, WorkFunction } from './work.js'

export const watchSoak: WorkFunction = async (context) => {
  const { ports, options, signal } = context
  const { soakMs, soakWindowMs } = options.acceptance
  let leftMs = soakMs
  let frames = 0
  let errors = 0
  let last: SoakWindow | undefined
  while (leftMs > 0) {
    const windowMs = Math.min(soakWindowMs, leftMs)
    last = await ports.soakWatch.observe(windowMs, signal)
    frames += last.frames
    errors += last.errors
    requireHealthy(context, last)
    leftMs -= windowMs
    context.onProgress({ progress: 1 - leftMs / soakMs, etaMs: leftMs })
  }
  report(context, frames, errors, last)
  return { kind: 'soaked' }
}

function requireHealthy({ options, deployment, measured }: WorkContext, window: SoakWindow): void {
  const { errorShareMax, latencyFactorMax, agreementMin } = options.acceptance
  const total = window.frames + window.errors
  if (total === 0) return
  const name = `${deployment.model} ${deployment.version}`
  if (window.errors / total > errorShareMax) {
    const problem = `${name} failed on ${window.errors} of ${total} frames, allowed are ${errorShareMax * 100} %`
    throw new AgentError('deployment.soak_failed', problem)
  }
  const trial = measured.find(({ variant }) => variant.id === deployment.variantId)
  const limitMs = (trial?.latency.p95Ms ?? Number.POSITIVE_INFINITY) * latencyFactorMax
  if (window.latencyP95Ms > limitMs) {
    const problem = `${name} takes ${window.latencyP95Ms.toFixed(1)} ms (p95) while serving, expected at most ${limitMs.toFixed(1)} ms`
    throw new AgentError('deployment.soak_failed', problem)
  }
  if (window.agreement !== undefined && window.agreement < agreementMin) {
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
