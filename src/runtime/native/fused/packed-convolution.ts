/**
 * The constants of the operator `Convolution` in the layout that kernels.h describes.
 * Invariant: the layout is said once more in the node's attributes, so that the library checks it and never guesses.
 */

import type { Tensor } from '../../../onnx/tensor.js'
import type { ByteConvolution } from './byte-operators.js'

/** Channels `start` to `start + count` of a tensor that has `width`. */
export interface ChannelRange {
  readonly start: number
  readonly count: number
  readonly width: number
}

export interface PackedConvolution {
  readonly weights: Tensor
  readonly bias: Tensor
  readonly scales: Tensor
  readonly attributes: {
    readonly geometry: readonly number[]
    readonly channels: readonly number[]
    readonly blocks: readonly number[]
  }
}

/** Output channels of one vector of sums. */
const lanes = 16

/** Packs `convolution`, whose input channels come from `ranges`, one after the other. */
export function packConvolution(
  convolution: ByteConvolution,
  ranges: readonly ChannelRange[],
): PackedConvolution {
  const { dims, strides, pads, xZero, yZero, xScale, weightScales, yScale } = convolution
  const [channels, , rows, columns] = dims
  const isCell =
    rows === 1 && columns === 1 && strides.every((step) => step === 1) && pads.every((pad) => pad === 0)
  const gathers = !isCell || ranges.some(({ count }) => count % 4 !== 0)
  const vectors = Math.ceil(channels / lanes)
  const scales = new Float32Array(vectors * lanes)
  for (let n = 0; n < channels; n++) {
    // As QLinearConv does: each step in single precision.
    scales[n] = Math.fround(Math.fround(xScale * weightScales[n]!) / yScale)
  }
  const blocks = blocksOf(vectors)
  return {
    weights: packWeights(convolution, { gathers, ranges, blocks }),
    bias: { type: 'int32', dims: [vectors * lanes], data: biasOf(convolution, vectors * lanes) },
    scales: { type: 'float32', dims: [vectors * lanes], data: scales },
    attributes: {
      geometry: [channels, rows, columns, ...strides, ...pads, xZero, yZero, Number(gathers)],
      channels: ranges.flatMap(({ start, count, width }) => [start, count, width]),
      blocks,
    },
  }
}

/** Vectors a block: four, and no single one at the end where there are others, because it would wait for its inputs. */
function blocksOf(vectors: number): readonly number[] {
  const rest = vectors % 4
  const fours = Array.from({ length: Math.floor(vectors / 4) - (rest === 1 && vectors > 1 ? 1 : 0) }, () => 4)
  if (rest === 0) return fours
  return rest === 1 && vectors > 1 ? [...fours, 3, 2] : [...fours, rest]
}

/** The share of the input's zero point goes into the bias: sum (x - zero) w = sum x w - zero sum w. */
function biasOf({ weights, dims, bias, xZero }: ByteConvolution, length: number): Int32Array {
  const [channels] = dims
  const each = weights.length / channels
  const packed = new Int32Array(length)
  for (let n = 0; n < channels; n++) {
    let sum = 0
    for (let k = n * each; k < (n + 1) * each; k++) sum += weights[k]!
    packed[n] = bias[n]! - xZero * sum
  }
  return packed
}

interface Layout {
  readonly gathers: boolean
  readonly ranges: readonly ChannelRange[]
  readonly blocks: readonly number[]
}

function packWeights({ weights, dims }: ByteConvolution, layout: Layout): Tensor {
  const [channels, inputs, rows, columns] = dims
  const runs = runsOf(dims, layout)
  const groups = runs.reduce((sum, { count }) => sum + Math.ceil(count / 4), 0)
  const vectors = layout.blocks.reduce((sum, width) => sum + width, 0)
  const data = new Int8Array(vectors * lanes * groups * 4)
  const taps = inputs * rows * columns
  let blockStart = 0
  let firstChannel = 0
  for (const width of layout.blocks) {
    const count = width * lanes
    const placeOf = placesInBlock(dims, runs, count * 4)
    const end = Math.min(channels, firstChannel + count)
    for (let channel = firstChannel; channel < end; channel++) {
      const to = blockStart + (channel - firstChannel) * 4
      const from = channel * taps
      for (let tap = 0; tap < taps; tap++) data[to + placeOf[tap]!] = weights[from + tap]!
    }
    blockStart += count * groups * 4
    firstChannel += count
  }
  return { type: 'int8', dims: [data.length], data }
}

/** Bytes that the kernel reads one after the other: `count` of them from byte `from` of a row of the kernel's cells. */
interface Run {
  readonly row: number
  readonly from: number
  readonly count: number
}

function runsOf(
  [, inputs, rows, columns]: ByteConvolution['dims'],
  { gathers, ranges }: Layout,
): readonly Run[] {
  if (gathers) return Array.from({ length: rows }, (_, row) => ({ row, from: 0, count: columns * inputs }))
  let from = 0
  return ranges.map(({ count }) => {
    from += count
    return { row: 0, from: from - count, count }
  })
}

/** Where the weight of each tap (input, row, column) of the first channel lies in a block of `groupBytes` a group. */
function placesInBlock(
  [, inputs, rows, columns]: ByteConvolution['dims'],
  runs: readonly Run[],
  groupBytes: number,
): Int32Array {
  const places = new Int32Array(inputs * rows * columns)
  let group = 0
  for (const { row, from, count } of runs) {
    for (let k = 0; k < count; k++) {
      const input = (from + k) % inputs
      const column = Math.floor((from + k) / inputs)
      places[(input * rows + row) * columns + column] = (group + Math.floor(k / 4)) * groupBytes + (k % 4)
    }
    group += Math.ceil(count / 4)
  }
  return places
}
