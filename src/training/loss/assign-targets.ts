/**
 * Which anchors answer for which objects: the task-aligned assigner (Feng et al. 2021, "TOOD"), as YOLOv8 uses it.
 * Invariant: an anchor answers for at most one object; the assignment counts as constant in the gradient.
 */

import { sigmoid } from '../../base/numeric.js'
import type { Box } from '../../yolo/boxes.js'
import { completeIou } from './complete-iou.js'
import { anchorCount, distanceBins, type LevelValues, sideDistribution } from './head-batch.js'

/** An object that a picture of a batch shows, in input pixels. */
export interface TargetBox extends Box {
  readonly classIndex: number
}

export interface AssignmentOptions {
  /** Anchors per object. Default: 10. */
  readonly topk?: number
  /** Power of the class score in the alignment. Default: 0.5. */
  readonly alpha?: number
  /** Power of the overlap. Default: 6. */
  readonly beta?: number
  /** Objects with a smaller side are this large when anchors are looked for, pixels. Default: the second stride. */
  readonly smallestSide?: number
}

/** An anchor that answers for an object. */
export interface AssignedAnchor {
  readonly level: LevelValues
  /** The cell of the anchor, counted row by row inside its level. */
  readonly cell: number
  readonly target: TargetBox
  /** The class score that the anchor should give, 0..1. */
  readonly score: number
}

interface Candidate {
  readonly anchor: number
  readonly level: LevelValues
  readonly cell: number
  readonly overlap: number
  readonly alignment: number
}

const epsilon = 1e-9

/** Assigns the anchors of picture `image` of a batch to `targets`. */
export function assignTargets(
  levels: readonly LevelValues[],
  image: number,
  classCount: number,
  targets: readonly TargetBox[],
  options: AssignmentOptions = {},
): readonly AssignedAnchor[] {
  const { topk = 10, smallestSide = levels[1]?.stride ?? levels[0]!.stride } = options
  const boxes = new PredictedBoxes(levels, image)
  const candidates = targets.map((target) =>
    candidatesOf({ levels, image, classCount, boxes, smallestSide, options }, target),
  )
  const owners = new Map<number, { target: number; candidate: Candidate }[]>()
  for (const [target, list] of candidates.entries()) {
    for (const candidate of list.toSorted((a, b) => b.alignment - a.alignment).slice(0, topk)) {
      const known = owners.get(candidate.anchor)
      if (known === undefined) owners.set(candidate.anchor, [{ target, candidate }])
      else known.push({ target, candidate })
    }
  }
  const kept = targets.map((): Candidate[] => [])
  for (const [anchor, claims] of owners) {
    const { target, candidate } = claims.length === 1 ? claims[0]! : bestOverlap(candidates, anchor)
    kept[target]!.push(candidate)
  }
  return kept.flatMap((list, target) => {
    const alignment = list.reduce((most, each) => Math.max(most, each.alignment), 0)
    const overlap = list.reduce((most, each) => Math.max(most, each.overlap), 0)
    return list.map(({ level, cell, alignment: own }) => ({
      level,
      cell,
      target: targets[target]!,
      score: (own * overlap) / (alignment + epsilon),
    }))
  })
}

/** The object that overlaps the box of `anchor` most, of all objects and not only of those that claim the anchor. */
function bestOverlap(
  candidates: readonly (readonly Candidate[])[],
  anchor: number,
): { target: number; candidate: Candidate } {
  let best: { target: number; candidate: Candidate } | undefined
  for (const [target, list] of candidates.entries()) {
    const candidate = list.find((each) => each.anchor === anchor)
    if (candidate !== undefined && (best === undefined || candidate.overlap > best.candidate.overlap))
      best = { target, candidate }
  }
  return best!
}

interface Search {
  readonly levels: readonly LevelValues[]
  readonly image: number
  readonly classCount: number
  readonly boxes: PredictedBoxes
  readonly smallestSide: number
  readonly options: AssignmentOptions
}

/** The anchors whose center lies in the object and whose box overlaps it. */
function candidatesOf(search: Search, target: TargetBox): Candidate[] {
  const { alpha = 0.5, beta = 6 } = search.options
  const truth = [target.x1, target.y1, target.x2, target.y2]
  const [left, right] = widened(target.x1, target.x2, search.smallestSide)
  const [top, bottom] = widened(target.y1, target.y2, search.smallestSide)
  const found: Candidate[] = []
  for (const level of search.levels) {
    const { stride, columns, rows } = level
    const cells = columns * rows
    const plane = (search.image * search.classCount + target.classIndex) * cells
    for (let row = firstInside(top, stride); row < rows && (row + 0.5) * stride < bottom - epsilon; row++) {
      for (let column = firstInside(left, stride); column < columns; column++) {
        if ((column + 0.5) * stride >= right - epsilon) break
        const cell = row * columns + column
        const overlap = Math.max(0, completeIou(search.boxes.read(level, cell), truth))
        const score = sigmoid(level.cls[plane + cell]!)
        const alignment = score ** alpha * overlap ** beta
        if (overlap > 0) found.push({ anchor: level.first + cell, level, cell, overlap, alignment })
      }
    }
  }
  return found
}

function widened(low: number, high: number, smallest: number): readonly [number, number] {
  if (high - low >= smallest) return [low, high]
  const centre = (low + high) / 2
  return [centre - smallest / 2, centre + smallest / 2]
}

/** The first cell whose center is behind `edge`. */
function firstInside(edge: number, stride: number): number {
  return Math.max(0, Math.floor((edge + epsilon) / stride - 0.5) + 1)
}

/** The boxes of a picture's anchors in input pixels, computed when they are asked for. */
class PredictedBoxes {
  readonly #corners: Float64Array
  readonly #known: Uint8Array
  readonly #image: number
  readonly #shares = new Float64Array(distanceBins)

  constructor(levels: readonly LevelValues[], image: number) {
    const count = anchorCount(levels)
    this.#corners = new Float64Array(4 * count)
    this.#known = new Uint8Array(count)
    this.#image = image
  }

  read(level: LevelValues, cell: number): Float64Array {
    const anchor = level.first + cell
    const corners = this.#corners.subarray(4 * anchor, 4 * anchor + 4)
    if (this.#known[anchor] === 1) return corners
    this.#known[anchor] = 1
    for (let side = 0; side < 4; side++) {
      const distance = sideDistribution(level, this.#image, cell, side, this.#shares)
      const centre = (side % 2 === 0 ? cell % level.columns : Math.floor(cell / level.columns)) + 0.5
      corners[side] = (side < 2 ? centre - distance : centre + distance) * level.stride
    }
    return corners
  }
}
