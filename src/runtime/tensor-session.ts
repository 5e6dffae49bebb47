/**
 * A session that takes and gives tensors: for calibration, evaluation and training, where frames play no part.
 * Invariant: tensors that go in are copied and stay the caller's; tensors that come out belong to the caller.
 */

import { SessionHandle } from './session-handle.js'
import type { SessionInfo } from './messages.js'
import type { SessionOptions } from './session-options.js'
import { packTensor, type SessionTensor, SpareBuffers, unpackTensor } from './tensor.js'

export interface TensorSession {
  readonly info: SessionInfo
  /**
   * Computes `fetches` (all outputs by default) from `feeds`, which name every input.
   * Calls are served in order, one at a time. Throws `inference.run_failed` or `inference.worker_died`.
   */
  run(
    feeds: ReadonlyMap<string, SessionTensor>,
    fetches?: readonly string[],
  ): Promise<Map<string, SessionTensor>>
  /** Ends the thread after the calls under way. Idempotent. */
  close(): Promise<void>
}

/**
 * Opens `bytes` (an ONNX model, borrowed) in a worker thread.
 * Throws `inference.load_failed` or `inference.provider_unavailable`.
 */
export async function openTensorSession(
  bytes: Uint8Array,
  options: SessionOptions = {},
): Promise<TensorSession> {
  const handle = new SessionHandle()
  const spare = new SpareBuffers()
  const info = await handle.open({ kind: 'open', source: { bytes }, options, description: undefined })
  return {
    info,
    async run(feeds, fetches) {
      const packed = [...feeds].map(([name, tensor]) => packTensor(name, tensor, spare))
      const { outputs, spent } = await handle.run(packed, fetches)
      spare.replace(spent)
      return new Map(outputs.map((output) => [output.name, unpackTensor(output)]))
    },
    close: () => handle.close(),
  }
}
