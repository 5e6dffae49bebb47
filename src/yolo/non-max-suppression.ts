/**
 * Keeps one box of those that overlap, class by class: the Ultralytics protocol.
 * Invariant: candidates are visited by falling score, so what is kept first is never replaced, and the search may end as
 * soon as enough are kept. A box is decoded only when its candidate is visited.
 */

import type { Box } from './boxes.js'
import type { CandidateList } from './candidates.js'
import type { DetectionOptions } from './detection.js'

/** How many candidates are looked at, best first; the value of the Ultralytics protocol. */
const candidateLimit = 30_000

/** Four numbers to be filled with x1, y1, x2, y2. */
export type BoxBuffer = Float64Array

/** A kept candidate, in pixels of the model's input. */
export interface KeptBox extends Box {
  readonly classIndex: number
  readonly score: number
}

/**
 * Ranks `candidates` (reorders them) and returns what is kept, best first, at most `maxDet`.
 * A candidate goes when a kept one of its class overlaps it by more than `iou`.
 * `boxOf` fills its second argument with the corners of an anchor's box.
 */
export function nonMaxSuppression(
  candidates: CandidateList,
  boxOf: (anchor: number, into: BoxBuffer) => void,
  options: Pick<DetectionOptions, 'iou' | 'maxDet'>,
): KeptBox[] {
  candidates.rank(candidateLimit)
  const kept: KeptBox[] = []
  const keptByClass = new Map<number, KeptBox[]>()
  const box: BoxBuffer = new Float64Array(4)
  for (let rank = 0; rank < candidates.length && kept.length < options.maxDet; rank++) {
    const classIndex = candidates.classAt(rank)
    boxOf(candidates.anchorAt(rank), box)
    let rivals = keptByClass.get(classIndex)
    if (rivals === undefined) keptByClass.set(classIndex, (rivals = []))
    else if (overlapsAny(rivals, box, options.iou)) continue
    const winner = {
      classIndex,
      score: candidates.scoreAt(rank),
      x1: box[0]!,
      y1: box[1]!,
      x2: box[2]!,
      y2: box[3]!,
    }
    rivals.push(winner)
    kept.push(winner)
  }
  return kept
}

function overlapsAny(rivals: readonly KeptBox[], box: BoxBuffer, iou: number): boolean {
  const x1 = box[0]!
  const y1 = box[1]!
  const x2 = box[2]!
  const y2 = box[3]!
  const area = (x2 - x1) * (y2 - y1)
  for (const rival of rivals) {
    const width = Math.min(rival.x2, x2) - Math.max(rival.x1, x1)
    if (width <= 0) continue
    const height = Math.min(rival.y2, y2) - Math.max(rival.y1, y1)
    if (height <= 0) continue
    const intersection = width * height
    const union = area + (rival.x2 - rival.x1) * (rival.y2 - rival.y1) - intersection
    if (intersection > iou * union) return true
  }
  return false
}
