/**
 * What the demo has seen so far: fed with the messages of one device, read by the view and by the closing summary.
 * Invariant: everything comes from messages that went over the broker; nothing is asked of the agent directly.
 */

import { Histogram } from '../../base/histogram.js'
import { summarizeMatches } from '../../evaluation/coco-eval.js'
import type { GroundTruth } from '../../evaluation/ground-truth.js'
import { type ImageMatches, matchImage } from '../../evaluation/match-image.js'
import type { Deployment } from '../../protocol/deployment.js'
import type { FrameDetections } from '../../protocol/detections.js'
import type { Reported } from '../../protocol/reported.js'

/** Detections of one class over all frames. */
export interface ClassCount {
  readonly name: string
  /** Frames with at least one. */
  readonly frames: number
  readonly detections: number
  /** Best score seen, 0..1. */
  readonly bestScore: number
}

/** What a picture really shows; the same number is the same picture. */
export type TruthOf = (frameId: number) => {
  readonly picture: number
  readonly groundTruths: readonly GroundTruth[]
}

/** Accuracy of the detections that the agent sent, those under its threshold left out. */
export interface LiveAccuracy {
  readonly pictures: number
  readonly map: number
  readonly map50: number
}

export interface DemoSummary {
  readonly model: { readonly name: string; readonly version: string; readonly variant: string } | undefined
  readonly provider: string | undefined
  readonly frames: number
  readonly seconds: number
  readonly fps: number
  readonly framesWithDetections: number
  readonly detections: readonly ClassCount[]
  /** Where the truth is known. */
  readonly accuracy: LiveAccuracy | undefined
  readonly latency: {
    readonly inference: LatencyLine
    readonly endToEnd: LatencyLine
  }
}

interface LatencyLine {
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
}

interface MutableCount {
  frames: number
  detections: number
  bestScore: number
}

export class Tally {
  readonly #classNames: readonly string[]
  readonly #counts = new Map<number, MutableCount>()
  readonly #inference = new Histogram()
  readonly #endToEnd = new Histogram()
  #frames = 0
  #framesWithDetections = 0
  #firstMs: number | undefined
  #lastMs = 0
  #latest: FrameDetections | undefined
  #reported: Reported | undefined
  #deployment: Deployment | undefined
  readonly #truthOf: TruthOf | undefined
  /** The last matches of each picture, so that a long run stays small. */
  readonly #matches = new Map<number, ImageMatches>()

  constructor(classNames: readonly string[], truthOf?: TruthOf) {
    this.#classNames = classNames
    this.#truthOf = truthOf
  }

  get latest(): FrameDetections | undefined {
    return this.#latest
  }

  get deployment(): Deployment | undefined {
    return this.#deployment
  }

  get frames(): number {
    return this.#frames
  }

  nameOf(classIndex: number): string {
    return this.#classNames[classIndex] ?? `class ${classIndex}`
  }

  /** One frame, received at `nowMs` of a monotonic clock. */
  addFrame(frame: FrameDetections, nowMs: number): void {
    this.#firstMs ??= nowMs
    this.#lastMs = nowMs
    this.#latest = frame
    this.#frames++
    this.#inference.record(frame.latency.inferenceMs)
    this.#endToEnd.record(frame.latency.totalMs)
    if (frame.detections.length > 0) this.#framesWithDetections++
    if (this.#truthOf !== undefined) {
      const { picture, groundTruths } = this.#truthOf(frame.frameId)
      this.#matches.set(picture, matchImage({ groundTruths, detections: frame.detections }))
    }
    const seen = new Set<number>()
    for (const { classIndex, score } of frame.detections) {
      const count = this.#countOf(classIndex)
      count.detections++
      count.bestScore = Math.max(count.bestScore, score)
      if (!seen.has(classIndex)) count.frames++
      seen.add(classIndex)
    }
  }

  addReported(reported: Reported): void {
    this.#reported = reported
  }

  addDeployment(deployment: Deployment): void {
    this.#deployment = deployment
  }

  summary(): DemoSummary {
    const active = this.#reported?.active
    const seconds = this.#firstMs === undefined ? 0 : (this.#lastMs - this.#firstMs) / 1000
    return {
      model: active && { name: active.model, version: active.version, variant: active.variant },
      provider: active?.provider,
      frames: this.#frames,
      seconds,
      fps: seconds > 0 ? (this.#frames - 1) / seconds : 0,
      framesWithDetections: this.#framesWithDetections,
      detections: this.#classCounts(),
      accuracy: this.#accuracy(),
      latency: { inference: lineOf(this.#inference), endToEnd: lineOf(this.#endToEnd) },
    }
  }

  #accuracy(): LiveAccuracy | undefined {
    const matches = [...this.#matches.values()]
    const positives = matches.some(({ all }) => all.some((each) => each.positives > 0))
    if (!positives) return undefined
    const { map, map50, images } = summarizeMatches(matches)
    return { pictures: images, map, map50 }
  }

  #classCounts(): readonly ClassCount[] {
    return [...this.#counts]
      .map(([classIndex, count]) => ({ name: this.nameOf(classIndex), ...count }))
      .sort((a, b) => b.detections - a.detections || a.name.localeCompare(b.name))
  }

  #countOf(classIndex: number): MutableCount {
    const known = this.#counts.get(classIndex)
    if (known !== undefined) return known
    const fresh = { frames: 0, detections: 0, bestScore: 0 }
    this.#counts.set(classIndex, fresh)
    return fresh
  }
}

function lineOf(histogram: Histogram): LatencyLine {
  const { p50Ms, p95Ms, p99Ms } = histogram.summary()
  return { p50Ms, p95Ms, p99Ms }
}
