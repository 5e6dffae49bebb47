/** A loaded model, whoever loaded it: the Node binding of ONNX Runtime, or a library named by its path. */

import type { Tensor } from 'onnxruntime-node'
import type { RunSession } from './frame-inference.js'
import type { TensorInfo } from './tensor.js'

export interface BackendSession {
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  /**
   * Computes the outputs named by `fetches`; a fetch that is a tensor is filled and returned, the others have memory of their own.
   * Blocks its thread.
   */
  run(...args: Parameters<RunSession>): Promise<Readonly<Record<string, Tensor>>>
  /** Frees everything; called once. */
  release(): Promise<void>
}
