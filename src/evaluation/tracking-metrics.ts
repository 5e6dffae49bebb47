/**
 * How good tracks are against true ones: HOTA (J. Luiten et al., HOTA: A Higher Order Metric for Evaluating Multi-object
 * Tracking, IJCV 2020), CLEAR MOT (K. Bernardin, R. Stiefelhagen, 2008) and identity (E. Ristani et al., 2016).
 * Invariant: the figures equal those of TrackEval on the same boxes.
 */

import { Assignment } from '../base/assignment.js'

/** A box of one thing in one frame; corners in pixels. */
export interface TrackedBox {
  /** The same for one thing over all frames. */
  readonly id: number
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
}

/** One frame: what is there, and what was tracked. */
export interface TrackedFrame {
  readonly truth: readonly TrackedBox[]
  readonly tracked: readonly TrackedBox[]
}

/** Shares are 0..1, mota may be negative; counts are of the whole sequence. */
export interface TrackingMetrics {
  /** Mean over the overlaps 0.05, 0.10, ..., 0.95. */
  readonly hota: number
  /** Detection and association part of it. */
  readonly detA: number
  readonly assA: number
  readonly mota: number
  /** Mean overlap of what was matched at an overlap of 0.5. */
  readonly motp: number
  readonly idf1: number
  readonly idPrecision: number
  readonly idRecall: number
  readonly switches: number
  readonly fragmentations: number
  readonly falsePositives: number
  readonly misses: number
  readonly mostlyTracked: number
  readonly mostlyLost: number
}

/** Overlaps of HOTA. */
const alphas = Array.from({ length: 19 }, (_, index) => (index + 1) * 0.05)
const clearOverlap = 0.5
const epsilon = Number.EPSILON

/** The figures of one sequence, frames in their order. */
export function trackingMetrics(frames: readonly TrackedFrame[]): TrackingMetrics {
  const indexed = indexFrames(frames)
  return { ...hotaOf(indexed), ...clearOf(indexed), ...identityOf(indexed) }
}

/** Frames with ids as indices from 0, and the overlap of each pair. */
interface IndexedFrames {
  readonly truths: number
  readonly tracks: number
  readonly frames: readonly {
    readonly truth: readonly number[]
    readonly tracked: readonly number[]
    /** Overlap of truth i and track j at i * tracked.length + j. */
    readonly overlaps: Float64Array
  }[]
}

function indexFrames(frames: readonly TrackedFrame[]): IndexedFrames {
  const truthIndex = new Map<number, number>()
  const trackIndex = new Map<number, number>()
  const indexOf = (map: Map<number, number>, id: number): number => {
    const known = map.get(id)
    if (known !== undefined) return known
    map.set(id, map.size)
    return map.size - 1
  }
  const indexed = frames.map(({ truth, tracked }) => ({
    truth: truth.map(({ id }) => indexOf(truthIndex, id)),
    tracked: tracked.map(({ id }) => indexOf(trackIndex, id)),
    overlaps: Float64Array.from(truth.flatMap((one) => tracked.map((other) => overlapOf(one, other)))),
  }))
  return { truths: truthIndex.size, tracks: trackIndex.size, frames: indexed }
}

function overlapOf(one: TrackedBox, other: TrackedBox): number {
  const width = Math.min(one.x2, other.x2) - Math.max(one.x1, other.x1)
  const height = Math.min(one.y2, other.y2) - Math.max(one.y1, other.y1)
  if (width <= 0 || height <= 0) return 0
  const shared = width * height
  const areaOf = ({ x1, y1, x2, y2 }: TrackedBox): number => (x2 - x1) * (y2 - y1)
  return shared / (areaOf(one) + areaOf(other) - shared)
}

/** How often each id is there. */
function countsOf({ truths, tracks, frames }: IndexedFrames): {
  readonly truth: Float64Array
  readonly tracked: Float64Array
} {
  const truth = new Float64Array(truths)
  const tracked = new Float64Array(tracks)
  for (const frame of frames) {
    for (const id of frame.truth) truth[id]!++
    for (const id of frame.tracked) tracked[id]!++
  }
  return { truth, tracked }
}

function hotaOf(indexed: IndexedFrames): Pick<TrackingMetrics, 'hota' | 'detA' | 'assA'> {
  const { truths, tracks, frames } = indexed
  const counts = countsOf(indexed)
  const likely = potentialMatches(indexed)
  const alignment = likely.map((potential, index) => {
    const one = counts.truth[Math.floor(index / tracks)]!
    return potential / (one + counts.tracked[index % tracks]! - potential)
  })
  const matched = alphas.map(() => new Float64Array(truths * tracks))
  const hits = new Float64Array(alphas.length)
  const assignment = new Assignment()
  let truthBoxes = 0
  let trackedBoxes = 0
  for (const { truth, tracked, overlaps } of frames) {
    truthBoxes += truth.length
    trackedBoxes += tracked.length
    assignment.begin(truth.length, tracked.length, 0)
    for (const [i, one] of truth.entries())
      for (const [j, other] of tracked.entries())
        assignment.allow(i, j, -alignment[one * tracks + other]! * overlaps[i * tracked.length + j]!)
    assignment.solve()
    for (const [i, one] of truth.entries()) {
      const j = assignment.columnOf[i]!
      if (j < 0) continue
      const overlap = overlaps[i * tracked.length + j]!
      for (const [at, alpha] of alphas.entries()) {
        if (overlap < alpha - epsilon) break
        hits[at]!++
        matched[at]![one * tracks + tracked[j]!]!++
      }
    }
  }
  const figures = alphas.map((_, at) => {
    const found = hits[at]!
    let sum = 0
    for (const [index, count] of matched[at]!.entries()) {
      if (count === 0) continue
      const one = counts.truth[Math.floor(index / tracks)]!
      sum += (count * count) / Math.max(1, one + counts.tracked[index % tracks]! - count)
    }
    const assA = sum / Math.max(1, found)
    const detA = found / Math.max(1, truthBoxes + trackedBoxes - found)
    return { hota: Math.sqrt(detA * assA), detA, assA }
  })
  const mean = (key: 'hota' | 'detA' | 'assA'): number =>
    figures.reduce((sum, each) => sum + each[key], 0) / alphas.length
  return { hota: mean('hota'), detA: mean('detA'), assA: mean('assA') }
}

/** How much each pair of ids overlaps over all frames, an overlap counting less where others overlap as well. */
function potentialMatches({ truths, tracks, frames }: IndexedFrames): Float64Array {
  const potential = new Float64Array(truths * tracks)
  for (const { truth, tracked, overlaps } of frames) {
    const width = tracked.length
    const rowSums = truth.map((_, i) => overlaps.subarray(i * width, (i + 1) * width).reduce(plus, 0))
    const columnSums = tracked.map((_, j) => truth.reduce((sum, __, i) => sum + overlaps[i * width + j]!, 0))
    for (const [i, one] of truth.entries()) {
      for (const [j, other] of tracked.entries()) {
        const overlap = overlaps[i * width + j]!
        const whole = rowSums[i]! + columnSums[j]! - overlap
        if (whole > epsilon) potential[one * tracks + other]! += overlap / whole
      }
    }
  }
  return potential
}

const plus = (sum: number, value: number): number => sum + value

function clearOf(
  indexed: IndexedFrames,
): Omit<TrackingMetrics, 'hota' | 'detA' | 'assA' | 'idf1' | 'idPrecision' | 'idRecall'> {
  const { truths, frames } = indexed
  /** Of each truth, the track that it had last, and the one that it had in the frame before. */
  const last = new Int32Array(truths).fill(-1)
  const before = new Int32Array(truths).fill(-1)
  const present = new Float64Array(truths)
  const found = new Float64Array(truths)
  const begun = new Float64Array(truths)
  const assignment = new Assignment()
  const sums = { matches: 0, misses: 0, falsePositives: 0, switches: 0, overlap: 0 }
  for (const { truth, tracked, overlaps } of frames) {
    for (const id of truth) present[id]!++
    if (truth.length === 0 || tracked.length === 0) {
      sums.falsePositives += tracked.length
      sums.misses += truth.length
      continue
    }
    assignment.begin(truth.length, tracked.length, 0)
    for (const [i, one] of truth.entries()) {
      for (const [j, other] of tracked.entries()) {
        const overlap = overlaps[i * tracked.length + j]!
        // A pair that goes on is kept, whatever else overlaps more.
        if (overlap >= clearOverlap - epsilon)
          assignment.allow(i, j, -overlap - (before[one] === other ? 1000 : 0))
      }
    }
    assignment.solve()
    const wasTracked = before.map((track) => (track >= 0 ? 1 : 0))
    before.fill(-1)
    let matches = 0
    for (const [i, one] of truth.entries()) {
      const j = assignment.columnOf[i]!
      if (j < 0) continue
      const track = tracked[j]!
      matches++
      sums.overlap += overlaps[i * tracked.length + j]!
      if (last[one]! >= 0 && last[one] !== track) sums.switches++
      last[one] = track
      before[one] = track
      found[one]!++
      if (wasTracked[one] === 0) begun[one]!++
    }
    sums.matches += matches
    sums.misses += truth.length - matches
    sums.falsePositives += tracked.length - matches
  }
  const shares = [...present].map((count, id) => (count > 0 ? found[id]! / count : 0))
  return {
    mota: (sums.matches - sums.falsePositives - sums.switches) / Math.max(1, sums.matches + sums.misses),
    motp: sums.overlap / Math.max(1, sums.matches),
    switches: sums.switches,
    fragmentations: [...begun].reduce((sum, count) => sum + Math.max(0, count - 1), 0),
    falsePositives: sums.falsePositives,
    misses: sums.misses,
    mostlyTracked: shares.filter((share) => share > 0.8).length,
    mostlyLost: shares.filter((share) => share < 0.2).length,
  }
}

function identityOf(indexed: IndexedFrames): Pick<TrackingMetrics, 'idf1' | 'idPrecision' | 'idRecall'> {
  const { truths, tracks, frames } = indexed
  const together = new Float64Array(truths * tracks)
  for (const { truth, tracked, overlaps } of frames) {
    for (const [i, one] of truth.entries())
      for (const [j, other] of tracked.entries())
        if (overlaps[i * tracked.length + j]! >= clearOverlap) together[one * tracks + other]!++
  }
  const assignment = new Assignment()
  assignment.begin(truths, tracks, 0)
  for (let one = 0; one < truths; one++) {
    for (let other = 0; other < tracks; other++) {
      const count = together[one * tracks + other]!
      if (count > 0) assignment.allow(one, other, -count)
    }
  }
  assignment.solve()
  let right = 0
  for (let one = 0; one < truths; one++) {
    const other = assignment.columnOf[one]!
    if (other >= 0) right += together[one * tracks + other]!
  }
  const counts = countsOf(indexed)
  const truthBoxes = counts.truth.reduce(plus, 0)
  const trackedBoxes = counts.tracked.reduce(plus, 0)
  return {
    idf1: right / Math.max(1, (truthBoxes + trackedBoxes) / 2),
    idPrecision: right / Math.max(1, trackedBoxes),
    idRecall: right / Math.max(1, truthBoxes),
  }
}
