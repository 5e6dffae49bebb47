/**
 * ONNX Runtime for compression and training.
 * Invariants: each open graph has a thread of its own, which ends with close(); a graph computes what it says on every machine, so
 * QuantizeLinear and DequantizeLinear stay where they are (else the runtime would round float weights between them as well).
 */

import type { GraphRunner } from '../../compress/ports.js'
import { exportModel } from '../../onnx/export-model.js'
import type { SessionOptions } from '../../runtime/session-options.js'
import { openTensorSession } from '../../runtime/tensor-session.js'

const keepsPairs = { 'session.disable_quant_qdq': '1' }

/** Opens graphs with `options`; a graph that is opened for a few runs needs no warm-up. */
export function graphRunner(options: SessionOptions = {}): GraphRunner {
  const extra = { ...keepsPairs, ...options.extra }
  return {
    async open(graph) {
      const session = await openTensorSession(exportModel(graph), {
        warmUpRuns: 0,
        niceness: 0,
        ...options,
        extra,
      })
      return { run: (feeds) => session.run(feeds), close: () => session.close() }
    },
  }
}
