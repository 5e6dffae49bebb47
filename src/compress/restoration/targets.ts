/**
 * What every convolution of the original graph answers at sampled places: the targets of restoration.
 * Invariant: memory is samples * places * output channels * 4 bytes, independent of the size of the maps.
 */

import { present } from '../../base/assert.js'
import type { Graph, Node } from '../../onnx/graph.js'
import { elementCount } from '../../onnx/tensor.js'
import { gatherAt, isDenseConvolution } from './convolution-geometry.js'
import type { Matrix } from './matrix-products.js'
import { featureMap, observe } from './observe.js'
import type { CalibrationSamples } from '../calibration-samples.js'
import type { GraphRunner } from '../ports.js'
import { placesPerImage, samplePlaces, type SamplingOptions, seedOf } from './sample-places.js'

/** The answers of one convolution. */
export interface LayerTarget {
  /** By sample: the looked-at places of the output map. */
  readonly places: readonly Uint32Array[]
  /** By sample: one row a place, one column an output channel. */
  readonly answers: readonly Matrix[]
  readonly outputWidth: number
}

/** By the name of the convolution. */
export type Targets = ReadonlyMap<string, LayerTarget>

/** The dense convolutions of a graph, in order. */
export function denseConvolutions(graph: Graph): readonly Node[] {
  return graph.nodes.filter((node) => isDenseConvolution(graph, node))
}

/**
 * Observes the targets of all dense convolutions of `graph` whose maps are images.
 */
export async function collectTargets(
  run: { readonly graph: Graph; readonly runner: GraphRunner; readonly samples: CalibrationSamples },
  options: SamplingOptions,
): Promise<Targets> {
  const nodes = restorableConvolutions(run.graph)
  const targets = new Map(
    nodes.map((node) => [
      node.name,
      { places: [] as Uint32Array[], answers: [] as Matrix[], outputWidth: 0 },
    ]),
  )
  const outputs = nodes.map((node) => node.outputs[0]!)
  await observe(run, outputs, (sample, values) => {
    for (const node of nodes) {
      const map = featureMap(values.get(node.outputs[0]!), node.outputs[0]!)
      const weight = present(
        run.graph.initializers.get(node.inputs[1]!),
        'a dense convolution has a constant weight',
      )
      const unknowns = elementCount(weight.dims.slice(1)) + 1
      const count = placesPerImage(unknowns, run.samples.count, options.factor)
      const places = samplePlaces(map, count, seedOf(options, sample, map), options.interest?.[sample])
      const target = present(targets.get(node.name), 'made above')
      target.places.push(places)
      target.answers.push({ rows: places.length, columns: map.channels, data: gatherAt(map, places) })
      target.outputWidth = map.width
    }
  })
  return targets
}

/** Dense convolutions with a bias whose input and output are feature maps of images (not the DFL expectation). */
export function restorableConvolutions(graph: Graph): readonly Node[] {
  return denseConvolutions(graph).filter(
    (node) => graph.initializers.get(node.inputs[2] ?? '')?.type === 'float32',
  )
}
