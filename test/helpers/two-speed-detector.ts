/**
 * A detector that takes several times as long for bright pictures as for others, and says of both the same.
 * Invariant: the work is powers of the rows of a matrix of ones, so twice the rows are twice the work, and the result is one.
 */

import { tinyModel, type TinyNode } from './tiny-model.js'

const FLOAT = 1
const INT64 = 7
const side = 900
const powers = 12

export interface TwoSpeedOptions {
  /** Input width and height, a multiple of 32. */
  readonly size: number
  /** Rows for a picture whose mean is at most `brightness`. */
  readonly rows: number
  /** Rows more for a brighter one. */
  readonly moreRows: number
  /** 0..1. */
  readonly brightness: number
  /** Models of different salts have different bytes and do the same. */
  readonly salt: number
}

/** The bytes of the model: one class, one box of 1/4 of the picture, the mean of the picture as its score. */
export function twoSpeedDetector({ size, rows, moreRows, brightness, salt }: TwoSpeedOptions): Uint8Array {
  const anchors = (size / 8) ** 2 + (size / 16) ** 2 + (size / 32) ** 2
  const boxes = [size / 2, size / 2, size / 4, size / 4, 0].flatMap((value) =>
    new Array<number>(anchors).fill(value),
  )
  const chain = Array.from({ length: powers }, (_, index): TinyNode => ({
    opType: 'Pow',
    inputs: [`part${index}`, 'exponent'],
    outputs: [`part${index + 1}`],
  }))
  const mean = (inputs: readonly string[], output: string): TinyNode => ({
    opType: 'ReduceMean',
    inputs,
    outputs: [output],
    attributes: { keepdims: 0 },
  })
  const cast = (input: string, output: string, to: number): TinyNode => ({
    opType: 'Cast',
    inputs: [input],
    outputs: [output],
    attributes: { to },
  })
  return tinyModel({
    nodes: [
      mean(['images'], 'mean'),
      { opType: 'Greater', inputs: ['mean', 'brightness'], outputs: ['is_bright'] },
      cast('is_bright', 'bright', FLOAT),
      { opType: 'Mul', inputs: ['bright', 'more_rows'], outputs: ['rows_more'] },
      { opType: 'Add', inputs: ['rows', 'rows_more'], outputs: ['rows_in_all'] },
      cast('rows_in_all', 'end', INT64),
      cast('zero', 'start', INT64),
      { opType: 'Mul', inputs: ['column', 'row'], outputs: ['matrix'] },
      { opType: 'Slice', inputs: ['matrix', 'start', 'end'], outputs: ['part0'] },
      ...chain,
      mean([`part${powers}`], 'one'),
      { opType: 'Mul', inputs: ['mean', 'one'], outputs: ['score'] },
      { opType: 'Div', inputs: ['score', 'divisor'], outputs: ['salted'] },
      { opType: 'Mul', inputs: ['mask', 'salted'], outputs: ['scores'] },
      { opType: 'Add', inputs: ['boxes', 'scores'], outputs: ['output0'] },
    ],
    inputs: [{ name: 'images', dims: [1, 3, size, size] }],
    outputs: [{ name: 'output0', dims: [1, 5, anchors] }],
    constants: [
      { name: 'boxes', dims: [1, 5, anchors], data: boxes },
      { name: 'mask', dims: [1, 5, anchors], data: boxes.map((_, index) => (index === 4 * anchors ? 1 : 0)) },
      { name: 'divisor', dims: [1], data: [1 + salt / 1e5] },
      { name: 'brightness', dims: [1], data: [brightness] },
      { name: 'rows', dims: [1], data: [rows] },
      { name: 'more_rows', dims: [1], data: [moreRows] },
      { name: 'zero', dims: [1], data: [0] },
      { name: 'exponent', dims: [1], data: [1.3] },
      { name: 'column', dims: [side, 1], data: new Array<number>(side).fill(1) },
      { name: 'row', dims: [1, side], data: new Array<number>(side).fill(1) },
    ],
  })
}
