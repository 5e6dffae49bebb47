/**
 * The raw outputs of the six head branches for a batch, seen as anchors.
 * Invariant: anchors are numbered level by level, row by row; arrays are borrowed and never copied.
 */

import { invariant } from '../../base/assert.js'
import type { HeadLevel } from '../../yolo/model-description.js'

export const distanceBins = 16

/** The sizes of a detection head: pictures of a batch, classes, input in pixels, levels. */
export interface HeadShape {
  readonly batch: number
  readonly classCount: number
  readonly inputWidth: number
  readonly inputHeight: number
  /** The levels of the head, the smallest stride first. */
  readonly levels: readonly HeadLevel[]
}

/** A level with its logits: `box` is `[N, 64, rows, columns]`, `cls` is `[N, classes, rows, columns]`. */
export interface LevelValues {
  readonly stride: number
  readonly columns: number
  readonly rows: number
  /** The number of the level's first anchor among those of all levels. */
  readonly first: number
  readonly box: Float32Array
  readonly cls: Float32Array
}

export type HeadValues = ReadonlyMap<string, Float32Array>

/** The levels of `shape` with the numbers from `values`, which holds an array for each branch. */
export function levelsOf(shape: HeadShape, values: HeadValues): readonly LevelValues[] {
  let first = 0
  return shape.levels.map(({ stride, box, cls }) => {
    const columns = shape.inputWidth / stride
    const rows = shape.inputHeight / stride
    const level = { stride, columns, rows, first, box: values.get(box)!, cls: values.get(cls)! }
    const cells = columns * rows
    first += cells
    invariant(level.box.length === shape.batch * 4 * distanceBins * cells, `${box} has the size of its level`)
    invariant(level.cls.length === shape.batch * shape.classCount * cells, `${cls} has the size of its level`)
    return level
  })
}

/** Arrays of zeros for each branch. */
export function zerosLike(values: HeadValues): Map<string, Float32Array> {
  return new Map([...values].map(([name, data]) => [name, new Float32Array(data.length)]))
}

export function anchorCount(levels: readonly LevelValues[]): number {
  const last = levels.at(-1)!
  return last.first + last.columns * last.rows
}

/** Fills `shares` (16) with the softmax over the bins of side `side` of a cell and returns their mean, in cells. */
export function sideDistribution(
  level: LevelValues,
  image: number,
  cell: number,
  side: number,
  shares: Float64Array,
): number {
  const cells = level.columns * level.rows
  let at = (image * 4 + side) * distanceBins * cells + cell
  let largest = -Infinity
  for (let bin = 0; bin < distanceBins; bin++, at += cells) {
    shares[bin] = level.box[at]!
    largest = Math.max(largest, shares[bin]!)
  }
  let sum = 0
  for (let bin = 0; bin < distanceBins; bin++) sum += shares[bin] = Math.exp(shares[bin]! - largest)
  let mean = 0
  for (let bin = 0; bin < distanceBins; bin++) mean += bin * (shares[bin]! /= sum)
  return mean
}
