/**
 * A session that takes and gives tensors: for calibration, evaluation and training, where frames play no part.
 * Invariant: tensors that go in are copied and stay the caller's, but for bound ones, which lie in memory of both; tensors that come out
 * belong to the caller.
 */

import { invariant } from '../base/assert.js'
import { SessionHandle } from './session-handle.js'
import type { SessionInfo } from './messages.js'
import type { SessionOptions } from './session-options.js'
import type { BoundTensors } from './shared-tensors.js'
import { packTensor, type SessionTensor, SpareBuffers, unpackTensor } from './tensor.js'

export interface TensorSession {
  readonly info: SessionInfo
  /** Milliseconds that the runtime has computed, all runs together. */
  readonly computeMs: number
  /**
   * Computes `fetches` (all outputs by default) from `feeds`, which name every input that is not bound; bound outputs are written
   * instead of being returned. Calls are served in order, one at a time. Throws `inference.run_failed` or `inference.worker_died`.
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
  bound?: BoundTensors,
): Promise<TensorSession> {
  for (const { data } of tensorsOf(bound))
    invariant(data.buffer instanceof SharedArrayBuffer, 'bound tensors lie in shared memory')
  const handle = new SessionHandle(options)
  const info = await handle.open({ kind: 'open', source: { bytes }, options, description: undefined, bound })
  const spare = new SpareBuffers()
  let computeMs = 0
  return {
    info,
    get computeMs() {
      return computeMs
    },
    async run(feeds, fetches) {
      const packed = [...feeds].map(([name, tensor]) => packTensor(name, tensor, spare))
      const result = await handle.run(packed, fetches)
      spare.replace(result.spent)
      computeMs += result.computeMs
      return new Map(result.outputs.map((output) => [output.name, unpackTensor(output)]))
    },
    close: () => handle.close(),
  }
}

function tensorsOf(bound: BoundTensors | undefined): readonly SessionTensor[] {
  return bound === undefined ? [] : [...bound.inputs.values(), ...bound.outputs.values()]
}
