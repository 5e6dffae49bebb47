/** The step `--int8`. Invariant: it refuses a model that is quantised already before it looks at any picture. */

import {
  calibrate,
  quantize,
  type QuantizeOptions,
  requireFloat,
} from '../../compress/quantization/quantize.js'
import type { Graph } from '../../onnx/graph.js'
import type { CompressStep, StepContext, StepResult } from './step.js'

export function int8Step(options: QuantizeOptions): CompressStep {
  return { name: 'int8', run: (graph, context) => run(graph, context, options) }
}

async function run(graph: Graph, context: StepContext, options: QuantizeOptions): Promise<StepResult> {
  requireFloat(graph)
  const { runner, images, onProgress } = context
  const observations = await calibrate(graph, options.target, runner, images, (_, done, total) => {
    onProgress(done / total, `calibrating on ${images.count} pictures`)
  })
  const quantized = quantize(graph, observations, options)
  const { plan, scales, weightBits } = quantized
  return {
    graph: quantized.graph,
    report: {
      target: options.target.name,
      form: options.target.form,
      calibration: { method: options.method, images: images.count },
      bias_correction: options.biasCorrection,
      weight_bits: weightBits,
      quantized_nodes: plan.quantized.size,
      float_nodes: plan.barriers.map(({ node, opType, reason }) => ({ node, operator: opType, reason })),
      values: [...scales].map(([value, { scale, zeroPoint }]) => ({ value, scale, zero_point: zeroPoint })),
    },
  }
}
