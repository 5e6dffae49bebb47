/**
 * Runs the float graph on calibration pictures and keeps what quantisation needs of its inner values.
 * Invariant: memory does not grow with the number of pictures, and the values fetched by one run stay below a bound.
 */

import { AgentError } from '../../../base/errors.js'
import { type Graph, makeNode, type Node, type ValueName } from '../../../onnx/graph.js'
import { applyPatch } from '../../../onnx/patch.js'
import { shapesOf } from '../../../onnx/shapes/infer-shapes.js'
import { elementCount, type Tensor } from '../../../onnx/tensor.js'
import { inputFor } from '../../calibration-samples.js'
import type { CalibrationImages, GraphRunner, ReportProgress } from '../../ports.js'
import { ValueHistogram } from './value-histogram.js'

export interface Observations {
  readonly histograms: ReadonlyMap<ValueName, ValueHistogram>
  /** Mean of each channel, by value. */
  readonly means: ReadonlyMap<ValueName, Float32Array>
}

export interface ObserveRequest {
  /** Values whose distribution is wanted. */
  readonly values: readonly ValueName[]
  /** Values `[1, C, h, w]` whose channel means are wanted. */
  readonly means: readonly ValueName[]
}

/** What one run may fetch. */
const fetchLimitBytes = 96 * 2 ** 20

/** Observes `request` in `graph` over all `images`. Throws `dataset.folder_unusable` when there is none. */
export async function observe(
  graph: Graph,
  request: ObserveRequest,
  runner: GraphRunner,
  images: CalibrationImages,
  onProgress?: ReportProgress,
): Promise<Observations> {
  if (images.count === 0) {
    throw new AgentError(
      'dataset.folder_unusable',
      'there is no picture to calibrate with, expected at least one',
    )
  }
  const histograms = new Map(request.values.map((value) => [value, new ValueHistogram()]))
  const sums = new Map<ValueName, Float64Array>()
  const batches = batchesOf(graph, request.values)
  for (const [number, values] of batches.entries()) {
    const means = number === 0 ? request.means : []
    const open = await runner.open(exposed(graph, values, means))
    try {
      for (let index = 0; index < images.count; index++) {
        const outputs = await open.run(
          new Map([[graph.inputs[0]!.name, await inputFor(graph, images, index)]]),
        )
        for (const value of values) histograms.get(value)!.add(floatsOf(outputs.get(value), value))
        for (const value of means) accumulate(sums, value, floatsOf(outputs.get(meanName(value)), value))
        onProgress?.('calibrate', number * images.count + index + 1, batches.length * images.count)
      }
    } finally {
      await open.close()
    }
  }
  const means = new Map(
    [...sums].map(([value, sum]) => [value, Float32Array.from(sum, (total) => total / images.count)]),
  )
  return { histograms, means }
}

function batchesOf(graph: Graph, values: readonly ValueName[]): readonly (readonly ValueName[])[] {
  const shapes = shapesOf(graph)
  const batches: ValueName[][] = [[]]
  let sizeBytes = 0
  for (const value of values) {
    const valueBytes = 4 * elementCount(shapes.staticShapeOf(value) ?? [])
    if (sizeBytes + valueBytes > fetchLimitBytes && batches.at(-1)!.length > 0) {
      batches.push([])
      sizeBytes = 0
    }
    batches.at(-1)!.push(value)
    sizeBytes += valueBytes
  }
  return batches
}

function meanName(value: ValueName): ValueName {
  return `${value}/mean`
}

/** The graph with inner values and channel means as its outputs. */
function exposed(graph: Graph, values: readonly ValueName[], means: readonly ValueName[]): Graph {
  const pools: Node[] = means.map((value) =>
    makeNode('GlobalAveragePool', meanName(value), [value], [meanName(value)]),
  )
  const names = [...values, ...means.map(meanName)]
  return applyPatch(graph, {
    add: pools,
    outputs: names.map((name) => ({
      name,
      type: 'float32',
      shape: shapesOf(graph).typeOf(name)?.shape ?? [1, undefined, 1, 1],
    })),
  })
}

function floatsOf(tensor: Tensor | undefined, value: ValueName): Float32Array {
  if (tensor?.type === 'float32') return tensor.data
  throw new AgentError(
    'inference.output_invalid',
    `value ${value} of the calibrated graph is no float tensor`,
  )
}

function accumulate(sums: Map<ValueName, Float64Array>, value: ValueName, means: Float32Array): void {
  const sum = sums.get(value) ?? new Float64Array(means.length)
  for (let index = 0; index < means.length; index++) sum[index]! += means[index]!
  sums.set(value, sum)
}
