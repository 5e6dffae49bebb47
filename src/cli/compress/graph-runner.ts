/** ONNX Runtime for compression. Invariant: each open graph has a thread of its own, which ends with close(). */

import type { GraphRunner } from '../../compress/ports.js'
import { exportModel } from '../../onnx/export-model.js'
import type { SessionOptions } from '../../runtime/session-options.js'
import { openTensorSession } from '../../runtime/tensor-session.js'

/** Opens graphs with `options`; a graph that is opened for a few runs needs no warm-up. */
export function graphRunner(options: SessionOptions = {}): GraphRunner {
  return {
    async open(graph) {
      const session = await openTensorSession(exportModel(graph), { warmUpRuns: 0, niceness: 0, ...options })
      return { run: (feeds) => session.run(feeds), close: () => session.close() }
    },
  }
}
