/** The geometry of a two-dimensional convolution and the unfolding of its input at single places of its output. */

import { AgentError } from '../../base/errors.js'
import type { Graph, Node } from '../../onnx/graph.js'
import { intOf, intsOf } from '../../onnx/attributes.js'

export interface ConvolutionGeometry {
  readonly kernel: readonly [height: number, width: number]
  readonly strides: readonly [number, number]
  /** Padding at the top, left, bottom and right. */
  readonly pads: readonly [number, number, number, number]
  readonly dilations: readonly [number, number]
}

/** Whether `node` is a dense convolution over images with a float weight: what least squares can re-fit. */
export function isDenseConvolution(graph: Graph, node: Node): boolean {
  const weight = graph.initializers.get(node.inputs[1] ?? '')
  return (
    node.opType === 'Conv' &&
    weight?.type === 'float32' &&
    weight.dims.length === 4 &&
    intOf(node, 'group', 1) === 1
  )
}

/** Reads the geometry of a Conv node. Throws `model.op_unsupported` for automatic padding. */
export function geometryOf(graph: Graph, node: Node): ConvolutionGeometry {
  const automatic = node.attributes.get('auto_pad')
  if (automatic?.kind === 'string' && automatic.value !== 'NOTSET' && automatic.value !== 'VALID') {
    throw new AgentError(
      'model.op_unsupported',
      `re-fitting ${node.name} needs explicit pads, got auto_pad ${automatic.value}`,
    )
  }
  const dims = graph.initializers.get(node.inputs[1] ?? '')?.dims ?? []
  return {
    kernel: [dims[2] ?? 1, dims[3] ?? 1],
    strides: pair(intsOf(node, 'strides'), 1),
    pads: quadruple(intsOf(node, 'pads')),
    dilations: pair(intsOf(node, 'dilations'), 1),
  }
}

function pair(values: readonly number[] | undefined, otherwise: number): readonly [number, number] {
  return [values?.[0] ?? otherwise, values?.[1] ?? otherwise]
}

function quadruple(values: readonly number[] | undefined): readonly [number, number, number, number] {
  return [values?.[0] ?? 0, values?.[1] ?? 0, values?.[2] ?? 0, values?.[3] ?? 0]
}

/** Height and width of the output map. */
export function outputSize(
  geometry: ConvolutionGeometry,
  input: { readonly height: number; readonly width: number },
): readonly [height: number, width: number] {
  const { kernel, strides, pads, dilations } = geometry
  const size = (length: number, axis: 0 | 1): number =>
    Math.floor(
      (length + pads[axis] + pads[axis + 2]! - dilations[axis] * (kernel[axis] - 1) - 1) / strides[axis],
    ) + 1
  return [size(input.height, 0), size(input.width, 1)]
}

/** A feature map of one image: [channels, height, width], row-major. */
export interface FeatureMap {
  readonly data: Float32Array
  readonly channels: number
  readonly height: number
  readonly width: number
}

/**
 * Writes one row for each place: the input patch behind that output place, channel by channel, kernel row by kernel
 * row (the order of a weight row), then a 1 for the bias.
 * @param places flat indexes into the output map of `outputWidth` columns
 * @returns `places.length` rows of `channels * kernel + 1`
 */
export function unfoldAt(
  map: FeatureMap,
  geometry: ConvolutionGeometry,
  places: Uint32Array,
  outputWidth: number,
): Float32Array {
  const [kernelHeight, kernelWidth] = geometry.kernel
  const kernel = kernelHeight * kernelWidth
  const columns = map.channels * kernel + 1
  const rows = new Float32Array(places.length * columns)
  const offsets = new Int32Array(kernel)
  const plane = map.height * map.width
  for (let row = 0; row < places.length; row++) {
    patchOffsets(map, geometry, [Math.floor(places[row]! / outputWidth), places[row]! % outputWidth], offsets)
    let at = row * columns
    for (let channel = 0; channel < map.channels; channel++) {
      const base = channel * plane
      for (let tap = 0; tap < kernel; tap++, at++) {
        if (offsets[tap]! >= 0) rows[at] = map.data[base + offsets[tap]!]!
      }
    }
    rows[at] = 1
  }
  return rows
}

/** Fills `offsets` with the index, in a plane of the input, of each kernel element; -1 in the padding. */
function patchOffsets(
  map: FeatureMap,
  { kernel, strides, pads, dilations }: ConvolutionGeometry,
  [row, column]: readonly [number, number],
  offsets: Int32Array,
): void {
  for (let ky = 0, tap = 0; ky < kernel[0]; ky++) {
    const y = row * strides[0] - pads[0] + ky * dilations[0]
    for (let kx = 0; kx < kernel[1]; kx++, tap++) {
      const x = column * strides[1] - pads[1] + kx * dilations[1]
      offsets[tap] = y >= 0 && y < map.height && x >= 0 && x < map.width ? y * map.width + x : -1
    }
  }
}

/** Writes one row for each place: the values of all channels there. */
export function gatherAt(map: FeatureMap, places: Uint32Array): Float32Array {
  const rows = new Float32Array(places.length * map.channels)
  const plane = map.height * map.width
  for (let channel = 0; channel < map.channels; channel++) {
    const base = channel * plane
    for (let row = 0; row < places.length; row++)
      rows[row * map.channels + channel] = map.data[base + places[row]!]!
  }
  return rows
}
