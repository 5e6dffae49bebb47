/**
 * What a pipeline counts and measures.
 * Invariant: totals only grow; latencies are of the current window, which takeWindow() ends.
 */

import { Histogram, type LatencySummary } from '../base/histogram.js'
import type { FrameTimings } from './frame-result.js'
import type { SupplyStats } from './ports.js'
import type { SinkStats } from './sink-feed.js'

export const stages = ['wait', 'preprocess', 'inference', 'decode', 'total'] as const
export type Stage = (typeof stages)[number]

export interface PipelineStats {
  readonly camera: string
  readonly captured: number
  /** Frames that gave way to newer ones before the detector was free. */
  readonly dropped: number
  readonly restarts: number
  readonly processed: number
  /** Frames on which detection failed. */
  readonly errors: number
  readonly detections: number
  /** Length of the window, milliseconds, and frames a second in it. */
  readonly windowMs: number
  readonly capturedFps: number
  readonly processedFps: number
  readonly latency: Readonly<Record<Stage, LatencySummary>>
  readonly sinks: readonly SinkStats[]
}

export class StageRecorder {
  readonly #histograms: Readonly<Record<Stage, Histogram>> = {
    wait: new Histogram(),
    preprocess: new Histogram(),
    inference: new Histogram(),
    decode: new Histogram(),
    total: new Histogram(),
  }
  #windowStartMs: number
  #capturedBefore = 0
  #processedBefore = 0
  #retired: SupplyStats = { captured: 0, dropped: 0, restarts: 0 }
  processed = 0
  errors = 0
  detections = 0
  /** Frames that were caught before a swap to a model of another input size. */
  outgrown = 0

  constructor(nowMs: number) {
    this.#windowStartMs = nowMs
  }

  record(timings: FrameTimings, detectionCount: number): void {
    this.processed++
    this.detections += detectionCount
    for (const stage of stages) this.#histograms[stage].record(timings[`${stage}Ms`])
  }

  /** Keeps the totals of a supply that is stopped. */
  retire(supply: SupplyStats): void {
    this.#retired = sumOf(this.#retired, supply)
  }

  /** Figures of the window that ends now; the next one begins. `supply` is the running one, if any. */
  takeWindow(
    camera: string,
    supply: SupplyStats | undefined,
    sinks: readonly SinkStats[],
    nowMs: number,
  ): PipelineStats {
    const totals = supply === undefined ? this.#retired : sumOf(this.#retired, supply)
    const windowMs = nowMs - this.#windowStartMs
    const perSecond = (count: number): number => (windowMs > 0 ? (count * 1000) / windowMs : 0)
    const latency = (stage: Stage): LatencySummary => {
      const summary = this.#histograms[stage].summary()
      this.#histograms[stage].reset()
      return summary
    }
    const stats: PipelineStats = {
      camera,
      captured: totals.captured,
      dropped: totals.dropped + this.outgrown,
      restarts: totals.restarts,
      processed: this.processed,
      errors: this.errors,
      detections: this.detections,
      windowMs,
      capturedFps: perSecond(totals.captured - this.#capturedBefore),
      processedFps: perSecond(this.processed - this.#processedBefore),
      latency: {
        wait: latency('wait'),
        preprocess: latency('preprocess'),
        inference: latency('inference'),
        decode: latency('decode'),
        total: latency('total'),
      },
      sinks,
    }
    this.#windowStartMs = nowMs
    this.#capturedBefore = totals.captured
    this.#processedBefore = this.processed
    return stats
  }
}

function sumOf(a: SupplyStats, b: SupplyStats): SupplyStats {
  return {
    captured: a.captured + b.captured,
    dropped: a.dropped + b.dropped,
    restarts: a.restarts + b.restarts,
  }
}
