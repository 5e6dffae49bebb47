/**
 * Channel means of inner values of a quantised model, as real numbers.
 * Invariant: the means are those of the very integers that the model computes with.
 */

import { present } from '../../../base/assert.js'
import { intAttribute, intsAttribute } from '../../../onnx/attributes.js'
import { makeNode, type Node, type ValueName } from '../../../onnx/graph.js'
import { applyPatch } from '../../../onnx/patch.js'
import { inputFor } from '../../calibration-samples.js'
import type { CalibrationImages, GraphRunner, ReportProgress } from '../../ports.js'
import type { QuantizedGraph } from '../quantized-graph.js'

/** Means over `images`, by the values' names in the float model; values that the model holds as floats only are left out. */
export async function observeMeans(
  model: QuantizedGraph,
  values: readonly ValueName[],
  runner: GraphRunner,
  images: CalibrationImages,
  onProgress?: ReportProgress,
): Promise<ReadonlyMap<ValueName, Float32Array>> {
  const held = values.filter((value) => model.held.has(value))
  const open = await runner.open(exposed(model, held))
  const sums = new Map<ValueName, Float64Array>()
  try {
    for (let index = 0; index < images.count; index++) {
      const input = present(model.graph.inputs[0], 'a graph has an input').name
      const outputs = await open.run(new Map([[input, await inputFor(model.graph, images, index)]]))
      for (const value of held) {
        const means = present(outputs.get(meanName(value)), `the means of ${value} are an output`).data
        const sum = sums.get(value) ?? new Float64Array(means.length)
        for (let channel = 0; channel < means.length; channel++) sum[channel]! += Number(means[channel]!)
        sums.set(value, sum)
      }
      onProgress?.('correct biases', index + 1, images.count)
    }
  } finally {
    await open.close()
  }
  return new Map(
    [...sums].map(([value, sum]) => [value, Float32Array.from(sum, (total) => total / images.count)]),
  )
}

function meanName(value: ValueName): ValueName {
  return `${value}/held_mean`
}

function exposed(model: QuantizedGraph, values: readonly ValueName[]): QuantizedGraph['graph'] {
  const nodes: Node[] = []
  for (const value of values) {
    const held = model.held.get(value)!
    let floats = held.name
    if (held.params !== undefined) {
      floats = `${value}/held_floats`
      nodes.push(makeNode('DequantizeLinear', floats, [held.name, ...held.params], [floats]))
    }
    const name = meanName(value)
    const axes = held.channelsLast ? [1, 2] : [2, 3]
    const attributes = { axes: intsAttribute(axes), keepdims: intAttribute(0) }
    nodes.push(makeNode('ReduceMean', name, [floats], [name], { attributes }))
  }
  return applyPatch(model.graph, {
    add: nodes,
    outputs: values.map((value) => ({ name: meanName(value), type: 'float32', shape: [1, undefined] })),
  })
}
