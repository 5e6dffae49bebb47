/**
 * ONNX Runtime for compression and training.
 * Invariants: each open graph has a thread of its own, which ends with close(); a graph computes what it says on every machine, so
 * QuantizeLinear and DequantizeLinear stay where they are (else the runtime would round float weights between them as well); between runs
 * the cores belong to the caller, so the runtime's threads do not spin.
 */

import { availableParallelism } from 'node:os'
import type { GraphRunner } from '../../training/ports.js'
import { exportModel } from '../../onnx/export-model.js'
import type { SessionOptions } from '../../runtime/session-options.js'
import { openTensorSession, type TensorSession } from '../../runtime/tensor-session.js'

const settings = { 'session.disable_quant_qdq': '1', 'session.force_spinning_stop': '1' }

export interface MeasuredRunner extends GraphRunner {
  /** Milliseconds that the runtime has computed, all graphs together. */
  readonly computeMs: number
}

/** Opens graphs with `options`; a graph that is opened for a few runs needs no warm-up. */
export function graphRunner(options: SessionOptions = {}): MeasuredRunner {
  const extra = { ...settings, ...options.extra }
  const sessions = new Set<TensorSession>()
  let endedMs = 0
  return {
    threads: options.intraOpThreads ?? availableParallelism(),
    get computeMs() {
      return [...sessions].reduce((sum, session) => sum + session.computeMs, endedMs)
    },
    async open(graph, bound) {
      const own = { warmUpRuns: 0, niceness: 0, ...options, extra }
      const session = await openTensorSession(exportModel(graph), own, bound)
      sessions.add(session)
      return {
        run: (feeds) => session.run(feeds),
        close: async () => {
          await session.close()
          if (sessions.delete(session)) endedMs += session.computeMs
        },
      }
    },
  }
}
