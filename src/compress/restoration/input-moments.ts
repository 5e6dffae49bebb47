/**
 * Second moments of what each convolution reads in the unpruned graph: X^T X over sampled patches, the last row and
 * column being the bias. They answer, without running anything again, how well the kept channels can stand in for the
 * removed ones.
 * Invariant: convolutions with the same input and geometry share one matrix; memory is the sum of unknowns^2 * 8 bytes.
 */

import { present } from '../../base/assert.js'
import type { Graph, Node } from '../../onnx/graph.js'
import { elementCount } from '../../onnx/tensor.js'
import { type ConvolutionGeometry, geometryOf, outputSize, unfoldAt } from './convolution-geometry.js'
import { MatrixProducts, ProductSum } from './matrix-products.js'
import { featureMap, observe } from './observe.js'
import type { CalibrationSamples } from '../calibration-samples.js'
import type { GraphRunner } from '../ports.js'
import { placesPerImage, samplePlaces, type SamplingOptions, seedOf } from './sample-places.js'
import { restorableConvolutions } from './targets.js'

/** The moments of each convolution by node name; divided by the number of sampled patches. */
export type InputMoments = ReadonlyMap<string, ProductSum>

/** Collects them over all samples. */
export async function collectInputMoments(
  run: { readonly graph: Graph; readonly runner: GraphRunner; readonly samples: CalibrationSamples },
  options: SamplingOptions,
): Promise<InputMoments> {
  const { graph, samples } = run
  const shared = new Map<
    string,
    { node: Node; geometry: ConvolutionGeometry; sum: ProductSum; rows: number }
  >()
  const moments = new Map<string, ProductSum>()
  for (const node of restorableConvolutions(graph)) {
    const geometry = geometryOf(graph, node)
    const key = `${node.inputs[0]!} ${JSON.stringify(geometry)}`
    const unknowns =
      elementCount(present(graph.initializers.get(node.inputs[1]!), 'weight').dims.slice(1)) + 1
    const entry = shared.get(key) ?? { node, geometry, sum: new ProductSum(unknowns, unknowns), rows: 0 }
    shared.set(key, entry)
    moments.set(node.name, entry.sum)
  }
  const inputs = [...shared.values()].map(({ node }) => node.inputs[0]!)
  const products = await MatrixProducts.open(run.runner)
  try {
    await observe(run, inputs, async (sample, values) => {
      for (const entry of shared.values()) {
        const map = featureMap(values.get(entry.node.inputs[0]!), entry.node.inputs[0]!)
        const [height, width] = outputSize(entry.geometry, map)
        const count = placesPerImage(entry.sum.rows, samples.count, options.factor)
        const size = { height, width }
        const places = samplePlaces(size, count, seedOf(options, sample, size), options.interest?.[sample])
        const data = unfoldAt(map, entry.geometry, places, width)
        const rows = { rows: places.length, columns: entry.sum.columns, data }
        entry.sum.add(await products.transposedLeft(rows, rows))
        entry.rows += places.length
      }
    })
  } finally {
    await products.close()
  }
  for (const { sum, rows } of shared.values())
    for (let at = 0; at < sum.data.length; at++) sum.data[at]! /= rows
  return moments
}
