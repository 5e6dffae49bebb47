/**
 * In what precision an execution provider computes: a small network that gives back what goes in, fed with numbers that shorter
 * formats cannot hold.
 * Invariant: pure. Rows of the table below differ in exactly what their formats differ in:
 *
 *     number      float32   tfloat32   float16    bfloat16       bits of fraction: 23, 10, 10, 7
 *     1 + 2^-20   kept      rounded    rounded    rounded
 *     1 + 2^-9    kept      kept       kept       rounded
 *     100000      kept      rounded    too large  rounded
 */

import { exportModel } from '../../onnx/export-model.js'
import { makeNode, type Node } from '../../onnx/graph.js'
import { floatTensor } from '../../onnx/tensor.js'

/** Named after the format of the factors of a multiplication. */
export type Precision = 'float32' | 'tfloat32' | 'float16' | 'bfloat16'

const channels = 64
const side = 32
const layers = 4
const shape = [1, channels, side, side]
const fine = 1 + 2 ** -20
const middle = 1 + 2 ** -9
const large = 100_000
/** Neighbors take turns, so that what becomes of one says nothing of another. */
const numbers: readonly number[] = [fine, middle, large, 3]

/**
 * Convolutions by the identity, one after the other: short formats are often used between layers only. 64 channels, because
 * providers compute narrow layers in other ways.
 */
export function proofModel(): Uint8Array {
  const identity = new Array<number>(channels * channels).fill(0)
  for (let channel = 0; channel < channels; channel++) identity[channel * channels + channel] = 1
  const nodes = Array.from({ length: layers }, (_, layer): readonly Node[] => {
    const [input, output] = [layer === 0 ? 'x' : `r${layer - 1}`, layer === layers - 1 ? 'y' : `r${layer}`]
    return [
      makeNode('Conv', `c${layer}`, [input, 'w'], [`t${layer}`]),
      makeNode('Relu', `a${layer}`, [`t${layer}`], [output]),
    ]
  })
  return exportModel({
    name: 'precision',
    irVersion: 8,
    opsets: new Map([['', 17]]),
    inputs: [{ name: 'x', type: 'float32', shape }],
    outputs: [{ name: 'y', type: 'float32', shape }],
    nodes: nodes.flat(),
    initializers: new Map([['w', floatTensor([channels, channels, 1, 1], identity)]]),
    metadata: new Map(),
    carried: undefined,
  })
}

/** What goes into `x`, in the shape of the model. */
export function proofInput(): ReturnType<typeof floatTensor> {
  const count = channels * side * side
  return floatTensor(
    shape,
    Array.from({ length: count }, (_, index) => numbers[index % numbers.length]!),
  )
}

/** The precision that `output` (what came out of `y`) shows; undefined when it computed something else. */
export function precisionOf(output: ArrayLike<number | bigint>): Precision | undefined {
  const count = channels * side * side
  if (output.length !== count) return undefined
  const holds = (position: number, number: number, error: number): boolean => {
    for (let index = position; index < count; index += numbers.length)
      if (!(Math.abs(Number(output[index]) - number) <= error * number)) return false
    return true
  }
  // One in 128 is half a step of bfloat16, twice.
  if (!holds(0, fine, 2 ** -7) || !holds(1, middle, 2 ** -7) || !holds(3, 3, 0)) return undefined
  if (holds(0, fine, 2 ** -23) && holds(2, large, 2 ** -23)) return 'float32'
  if (!holds(1, middle, 2 ** -13)) return holds(2, large, 2 ** -7) ? 'bfloat16' : undefined
  return holds(2, large, 2 ** -7) ? 'tfloat32' : 'float16'
}
