/**
 * The loss of YOLOv8 and its gradient by the raw head outputs: class scores (binary cross-entropy), boxes (complete IoU) and
 * distributions of the box sides (DFL, Li et al. 2020, "Generalized focal loss").
 * Invariant: the gradient is that of the reported total.
 */

import { invariant } from '../../base/assert.js'
import {
  type AssignedAnchor,
  type AssignmentOptions,
  assignTargets,
  type TargetBox,
} from './assign-targets.js'
import { completeIou } from './complete-iou.js'
import {
  distanceBins,
  type HeadShape,
  type HeadValues,
  levelsOf,
  type LevelValues,
  sideDistribution,
  zerosLike,
} from './head-batch.js'

/** The factors of the three parts of the loss: boxes, classes, and the distribution of distances (DFL). */
export interface LossGains {
  readonly box: number
  readonly cls: number
  readonly dfl: number
}

export const defaultGains: LossGains = { box: 7.5, cls: 0.5, dfl: 1.5 }

/** Parts with their gains, per picture; `total` is their sum times the pictures of the batch. */
export interface LossParts extends LossGains {
  /** How differently the network and its teacher look at the picture; 0 without a teacher. */
  readonly neck: number
  readonly total: number
}

export interface HeadLoss {
  readonly loss: LossParts
  /** Derivative of `total` by each head output, as arrays of the caller. */
  readonly gradients: ReadonlyMap<string, Float32Array>
}

/** The loss of a batch of raw head outputs (borrowed) whose pictures show `targets`. */
export function detectionLoss(
  shape: HeadShape,
  heads: HeadValues,
  targets: readonly (readonly TargetBox[])[],
  options: AssignmentOptions & { readonly gains?: LossGains } = {},
): HeadLoss {
  invariant(targets.length === shape.batch, 'each picture has its targets')
  const { gains = defaultGains } = options
  const levels = levelsOf(shape, heads)
  const gradients = zerosLike(heads)
  const slopes = levelsOf(shape, gradients)
  const assigned = targets.map((boxes, image) =>
    assignTargets(levels, image, shape.classCount, boxes, options),
  )
  const scores = assigned.flat().reduce((sum, { score }) => sum + score, 0)
  const norm = Math.max(scores, 1)
  // The reported parts are per picture, the gradient is of the sum over pictures.
  const scale = shape.batch / norm
  let cls = 0
  for (const [index, level] of levels.entries())
    cls += backgroundLoss(level.cls, slopes[index]!.cls, gains.cls * scale)
  let [box, dfl] = [0, 0]
  const work = new BoxLoss()
  for (const [image, anchors] of assigned.entries()) {
    for (const anchor of anchors) {
      const { level, cell, target, score } = anchor
      const slope = slopes[levels.indexOf(level)]!
      const cells = level.columns * level.rows
      const at = (image * shape.classCount + target.classIndex) * cells + cell
      cls -= level.cls[at]! * score
      slope.cls[at]! -= gains.cls * scale * score
      if (score === 0) continue
      const parts = work.add(anchor, image, slope, {
        box: gains.box * scale * score,
        dfl: gains.dfl * scale * score,
      })
      box += parts.box * score
      dfl += parts.dfl * score
    }
  }
  const parts = {
    box: (gains.box * box) / norm,
    cls: (gains.cls * cls) / norm,
    dfl: (gains.dfl * dfl) / norm,
  }
  const loss = { ...parts, neck: 0 }
  return { loss: { ...loss, total: shape.batch * (loss.box + loss.cls + loss.dfl) }, gradients }
}

/** Cross-entropy as if no anchor had an object: the sum of log(1 + e^z), and its slope times `gain`. */
function backgroundLoss(logits: Float32Array, slope: Float32Array, gain: number): number {
  let sum = 0
  for (let at = 0; at < logits.length; at++) {
    const z = logits[at]!
    const decay = Math.exp(-Math.abs(z))
    sum += Math.max(z, 0) + Math.log1p(decay)
    slope[at] = (gain * (z >= 0 ? 1 : decay)) / (1 + decay)
  }
  return sum
}

/** Box and distribution loss of one anchor after the other; keeps its buffers. */
class BoxLoss {
  readonly #shares = Array.from({ length: 4 }, () => new Float64Array(distanceBins))
  readonly #means = new Float64Array(4)
  readonly #box = new Float64Array(4)
  readonly #truth = new Float64Array(4)
  readonly #slope = new Float64Array(4)

  /** The two losses of an anchor, unweighted; adds their slopes, weighted with `gains`, to `into`. */
  add(
    { level, cell, target }: AssignedAnchor,
    image: number,
    into: LevelValues,
    gains: { readonly box: number; readonly dfl: number },
  ): { readonly box: number; readonly dfl: number } {
    const centre = [(cell % level.columns) + 0.5, Math.floor(cell / level.columns) + 0.5]
    const corners = [target.x1, target.y1, target.x2, target.y2]
    for (let side = 0; side < 4; side++) {
      this.#means[side] = sideDistribution(level, image, cell, side, this.#shares[side]!)
      const sign = side < 2 ? -1 : 1
      this.#box[side] = centre[side % 2]! + sign * this.#means[side]!
      this.#truth[side] = corners[side]! / level.stride
    }
    const iou = completeIou(this.#box, this.#truth, this.#slope)
    let dfl = 0
    const cells = level.columns * level.rows
    for (let side = 0; side < 4; side++) {
      const shares = this.#shares[side]!
      const sign = side < 2 ? -1 : 1
      const wanted = sign * (this.#truth[side]! - centre[side % 2]!)
      const distance = Math.min(Math.max(wanted, 0), distanceBins - 1 - 0.01)
      const lower = Math.floor(distance)
      const upperShare = distance - lower
      dfl -= (1 - upperShare) * Math.log(shares[lower]!) + upperShare * Math.log(shares[lower + 1]!)
      // The loss is 1 - CIoU; a corner moves with the mean of its side's distribution.
      const byMean = -gains.box * this.#slope[side]! * sign
      let at = (image * 4 + side) * distanceBins * cells + cell
      for (let bin = 0; bin < distanceBins; bin++, at += cells) {
        const share = shares[bin]!
        const wantedShare = bin === lower ? 1 - upperShare : bin === lower + 1 ? upperShare : 0
        into.box[at] = byMean * share * (bin - this.#means[side]!) + (gains.dfl / 4) * (share - wantedShare)
      }
    }
    return { box: 1 - iou, dfl: dfl / 4 }
  }
}
