/** What numbers a graph computes on, told by its operators and weights. */

import type { Graph, Node } from './graph.js'

/** Operators that only a quantized model has. */
const integerOperators = /^(QLinear|QGemm|DynamicQuantize|DequantizeLinear|ConvInteger|MatMulInteger)/

/** The first node of `graph` that computes on integers or leads from them; undefined for a float model. */
export function integerNodeOf(graph: Graph): Node | undefined {
  return graph.nodes.find(({ opType }) => integerOperators.test(opType))
}

/** `int8` where anything computes on quantized values, `fp16` where weights are half floats, else `fp32`. */
export function precisionOf(graph: Graph): 'int8' | 'fp16' | 'fp32' {
  if (integerNodeOf(graph) !== undefined) return 'int8'
  for (const tensor of graph.initializers.values()) if (tensor.type === 'float16') return 'fp16'
  return 'fp32'
}
