/** A loaded model, whoever loaded it: the Node binding of ONNX Runtime, or a library named by its path. */

import type { Tensor } from 'onnxruntime-node'
import type { TensorInfo } from './tensor.js'

export type NamedTensors = Readonly<Record<string, Tensor>>

/** With whose operators a session computes. */
export type SessionOperators =
  | {
      readonly form: 'fused'
      /** Of the processor, that the kernels in use need: `avx512-vnni`, ... */
      readonly kernels: readonly string[]
    }
  | {
      readonly form: 'stock'
      /** Why not fused: one sentence. */
      readonly reason: string
    }

export interface BackendSession {
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  /** Whether feeds may lie in shared memory, which the Node binding refuses. */
  readonly takesSharedMemory: boolean
  /**
   * Computes the outputs named by `fetches`; a fetch that is a tensor is filled and returned, the others have memory of their own.
   * Blocks its thread.
   */
  run(feeds: NamedTensors, fetches: Readonly<Record<string, Tensor | null>>): Promise<NamedTensors>
  /** Frees everything; called once. */
  release(): Promise<void>
}
