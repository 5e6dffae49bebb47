/**
 * What the serving model does over one period: latency, errors, and whether it sees something else than at first.
 * Invariant: figures of two models are never mixed: a new model begins a new period and a new baseline.
 */

import { Histogram, type LatencySummary } from '../base/histogram.js'
import { addFrame, compareProfiles, type DetectionProfile, emptyProfile } from '../evaluation/drift.js'
import type { DriftFigures } from '../protocol/report.js'
import type { ServedFrame } from './ports.js'

/** The figures of a period. */
export interface PeriodFigures {
  readonly frames: number
  readonly latency: LatencySummary
  /** Against the first period of the same model; absent in it, and while too little was seen. */
  readonly drift?: DriftFigures
}

export class ServingFigures {
  readonly #latency = new Histogram()
  #served: string | undefined
  #frames = 0
  #baseline: DetectionProfile | undefined
  #current: DetectionProfile = emptyProfile(0)

  /** Takes one frame; never waits. */
  add({
    identity,
    timings,
    detections,
    classNames,
    sourceWidth: width,
    sourceHeight: height,
  }: ServedFrame): void {
    const served = `${identity.model} ${identity.version} ${identity.variant}`
    if (served !== this.#served) this.#begin(served, classNames.length)
    this.#frames++
    this.#latency.record(timings.preprocessMs + timings.inferenceMs + timings.decodeMs)
    addFrame(this.#current, detections, { width, height })
  }

  /** The figures since the last call or the last change of the model; the next period begins. */
  take(): PeriodFigures {
    const frames = this.#frames
    const latency = this.#latency.summary()
    const drift = this.#driftFigures()
    this.#frames = 0
    this.#latency.reset()
    this.#baseline ??= this.#current
    this.#current = emptyProfile(this.#current.classes.length)
    return { frames, latency, ...(drift !== undefined && { drift }) }
  }

  #driftFigures(): DriftFigures | undefined {
    if (this.#baseline === undefined) return undefined
    const result = compareProfiles(this.#baseline, this.#current)
    if (result.kind === 'too-few') return undefined
    const { scorePsi, classPsi, detectionsPerFrame } = result.drift
    return { scorePsi, classPsi, detectionsPerFrame }
  }

  #begin(served: string, classCount: number): void {
    this.#served = served
    this.#frames = 0
    this.#latency.reset()
    this.#baseline = undefined
    this.#current = emptyProfile(classCount)
  }
}
