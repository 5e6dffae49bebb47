/** The geometry of a two-dimensional convolution and the unfolding of its input at single places of its output. */

import { AgentError } from '../../base/errors.js'
import type { Graph, Node } from '../../onnx/graph.js'
import { intOf, intsOf } from '../../onnx/attributes.js'

export interface ConvolutionGeometry {
  readonly kernel: readonly [height: number, width: number]
  readonly strides: readonly [number, number]
  /** Top and left padding; bottom and right follow from the sizes. */
  readonly pads: readonly [number, number]
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
    pads: pair(intsOf(node, 'pads'), 0),
    dilations: pair(intsOf(node, 'dilations'), 1),
  }
}

function pair(values: readonly number[] | undefined, otherwise: number): readonly [number, number] {
  return [values?.[0] ?? otherwise, values?.[1] ?? otherwise]
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
  const columns = map.channels * kernelHeight * kernelWidth + 1
  const rows = new Float32Array(places.length * columns)
  const plane = map.height * map.width
  for (let row = 0; row < places.length; row++) {
    const y0 = Math.floor(places[row]! / outputWidth) * geometry.strides[0] - geometry.pads[0]
    const x0 = (places[row]! % outputWidth) * geometry.strides[1] - geometry.pads[1]
    let at = row * columns
    for (let channel = 0; channel < map.channels; channel++) {
      const base = channel * plane
      for (let ky = 0; ky < kernelHeight; ky++) {
        const y = y0 + ky * geometry.dilations[0]
        for (let kx = 0; kx < kernelWidth; kx++, at++) {
          rows[at] = paddedAt(map, base, y, x0 + kx * geometry.dilations[1])
        }
      }
    }
    rows[at] = 1
  }
  return rows
}

/** The value of the plane that starts at `base`, 0 outside. */
function paddedAt(map: FeatureMap, base: number, y: number, x: number): number {
  const isInside = y >= 0 && y < map.height && x >= 0 && x < map.width
  return isInside ? map.data[base + y * map.width + x]! : 0
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
