/**
 * How far a network's raw head outputs are from those of a teacher, and the gradient: cross-entropy of the class scores, and of
 * the distributions of the box sides where the teacher sees something.
 * Invariant: needs no labels; the loss is smallest, and its gradient zero, where both say the same.
 */

import { sigmoid } from '../../base/numeric.js'
import { present } from '../../base/assert.js'
import type { LossGains } from './detection-loss.js'
import { defaultGains, type HeadLoss } from './detection-loss.js'
import {
  distanceBins,
  type HeadShape,
  type HeadValues,
  levelsOf,
  type LevelValues,
  zerosLike,
} from './head-batch.js'

/** The loss of a batch of raw head outputs against those of the teacher on the same pictures (both borrowed). */
export function distillationLoss(
  shape: HeadShape,
  heads: HeadValues,
  teacher: HeadValues,
  gains: LossGains = defaultGains,
): HeadLoss {
  const levels = levelsOf(shape, heads)
  const wanted = levelsOf(shape, teacher)
  const gradients = zerosLike(heads)
  const slopes = levelsOf(shape, gradients)
  const certainty = wanted.map((level) => bestScores(shape, level))
  const norm = Math.max(
    1,
    certainty.reduce((sum, scores) => sum + scores.reduce((all, score) => all + score, 0), 0),
  )
  const scale = shape.batch / norm
  let [cls, dfl] = [0, 0]
  for (const [index, level] of levels.entries()) {
    const slope = slopes[index]!
    cls += scoreLoss(level.cls, wanted[index]!.cls, slope.cls, gains.cls * scale)
    dfl += sideLoss({ own: level, wanted: wanted[index]!, slope }, certainty[index]!, gains.dfl * scale)
  }
  const loss = { box: 0, cls: (gains.cls * cls) / norm, dfl: (gains.dfl * dfl) / norm, neck: 0 }
  return { loss: { ...loss, total: shape.batch * (loss.cls + loss.dfl) }, gradients }
}

/** The highest class score of each cell, by picture and cell. */
function bestScores({ batch, classCount }: HeadShape, { cls, columns, rows }: LevelValues): Float64Array {
  const cells = columns * rows
  const best = new Float64Array(batch * cells).fill(-Infinity)
  for (let image = 0; image < batch; image++)
    for (let index = 0; index < classCount; index++)
      for (let cell = 0; cell < cells; cell++) {
        const at = image * cells + cell
        best[at] = Math.max(best[at]!, cls[(image * classCount + index) * cells + cell]!)
      }
  return best.map(sigmoid)
}

/** Kullback-Leibler divergence of Bernoulli distributions, by logits; fills `slope`. */
function scoreLoss(own: Float32Array, wanted: Float32Array, slope: Float32Array, gain: number): number {
  let sum = 0
  for (let at = 0; at < own.length; at++) {
    const target = sigmoid(wanted[at]!)
    sum += softplus(own[at]!) - softplus(wanted[at]!) - target * (own[at]! - wanted[at]!)
    slope[at] = gain * (sigmoid(own[at]!) - target)
  }
  return sum
}

function softplus(value: number): number {
  return Math.max(value, 0) + Math.log1p(Math.exp(-Math.abs(value)))
}

/** Divergence of the four side distributions of each cell, weighted by what the teacher sees there; fills `slope.box`. */
function sideLoss(
  {
    own,
    wanted,
    slope,
  }: { readonly own: LevelValues; readonly wanted: LevelValues; readonly slope: LevelValues },
  certainty: Float64Array,
  gain: number,
): number {
  const cells = own.columns * own.rows
  const [shares, targets] = [new Float64Array(distanceBins), new Float64Array(distanceBins)]
  let sum = 0
  for (let row = 0; row < own.box.length / distanceBins; row++) {
    // Rows are picture, side and cell; elements of a row lie a plane apart.
    const cell = row % cells
    const side = Math.floor(row / cells)
    const weight = certainty[Math.floor(side / 4) * cells + cell]! / 4
    const start = side * distanceBins * cells + cell
    const logShares = logSoftmax(own.box, start, cells, shares)
    const logTargets = logSoftmax(wanted.box, start, cells, targets)
    for (let bin = 0; bin < distanceBins; bin++) {
      const [share, target] = [Math.exp(shares[bin]! - logShares), Math.exp(targets[bin]! - logTargets)]
      sum += weight * target * (targets[bin]! - logTargets - shares[bin]! + logShares)
      slope.box[start + bin * cells] = gain * weight * (share - target)
    }
  }
  return sum
}

/** Copies 16 logits into `into` and returns the logarithm of the sum of their exponentials. */
function logSoftmax(values: Float32Array, start: number, step: number, into: Float64Array): number {
  let largest = -Infinity
  for (let bin = 0; bin < distanceBins; bin++) {
    into[bin] = values[start + bin * step]!
    largest = Math.max(largest, into[bin]!)
  }
  let sum = 0
  for (let bin = 0; bin < distanceBins; bin++) sum += Math.exp(into[bin]! - largest)
  return largest + Math.log(sum)
}

/** The sum of two losses; takes the arrays of the first, which has a gradient for each output of the second. */
export function addLosses(first: HeadLoss, second: HeadLoss): HeadLoss {
  for (const [name, other] of second.gradients) {
    const gradient = present(first.gradients.get(name), `${name} is an output of both`)
    for (let at = 0; at < gradient.length; at++) gradient[at] = gradient[at]! + other[at]!
  }
  const add = (part: keyof HeadLoss['loss']): number => first.loss[part] + second.loss[part]
  return {
    loss: { box: add('box'), cls: add('cls'), dfl: add('dfl'), neck: add('neck'), total: add('total') },
    gradients: first.gradients,
  }
}
