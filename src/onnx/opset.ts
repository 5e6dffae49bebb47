/**
 * Operator set versions and domain names.
 * Invariant: inside a Graph the standard domain is always written '', never `ai.onnx`.
 */

import type { Graph } from './graph.js'

/** The oldest standard operator set this tool reads: exports of YOLOv8 begin there. */
export const oldestOpset = 11

/** The domain of ONNX Runtime's own operators: QLinearAdd, QLinearSigmoid, ... */
export const microsoftDomain = 'com.microsoft'

/** The domain of operators that this program brings itself: `Table`, `Convolution`; src/runtime/native/kernels has them. */
export const operatorDomain = 'yolo-edge'

/** `ai.onnx` and '' name the same domain. */
export function canonicalDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain
}

/** Version of the operator set of `domain` that the graph declares; 0 where it declares none. */
export function opsetOf(graph: Graph, domain = ''): number {
  return graph.opsets.get(domain) ?? 0
}
