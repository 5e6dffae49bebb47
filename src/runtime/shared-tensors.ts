/**
 * The tensors of a session that lie in memory which the caller sees as well: inputs that every run reads, outputs that every run writes.
 * For training, whose weights and gradients would else be copied and cross the threads as some hundred messages a step.
 * Invariant: ONNX Runtime reads and writes them where they lie. Its binding refuses shared memory, so it gets the same memory under
 * another name, which is used for as long as the shared one is held here, and no longer.
 */

import { Tensor } from 'onnxruntime-node'
import type { NamedTensors } from './backend.js'
import { addressOf, memoryAt } from './native/ort-api.js'
import { type SessionTensor, typedArray } from './tensor.js'

/** Tensors in shared memory. While a run is under way, only the session touches them. */
export interface BoundTensors {
  readonly inputs: ReadonlyMap<string, SessionTensor>
  /** Of the shape of the output. */
  readonly outputs: ReadonlyMap<string, SessionTensor>
}

export class SharedTensors {
  /** The bound inputs, for every run. */
  readonly feeds: NamedTensors
  readonly #outputs: ReadonlyMap<string, Tensor>
  /** Shared memory and its other name. */
  readonly #names = new Map<ArrayBufferLike, ArrayBuffer>()

  constructor({ inputs, outputs }: BoundTensors) {
    this.feeds = Object.fromEntries([...inputs].map(([name, tensor]) => [name, this.#tensorOver(tensor)]))
    this.#outputs = new Map([...outputs].map(([name, tensor]) => [name, this.#tensorOver(tensor)]))
  }

  /** The tensor that a run writes `output` into, if it is bound. */
  output(output: string): Tensor | undefined {
    return this.#outputs.get(output)
  }

  #tensorOver({ type, dims, data }: SessionTensor): Tensor {
    const { buffer, byteOffset, length } = data
    let memory = this.#names.get(buffer)
    if (memory === undefined) {
      memory = memoryAt(addressOf(new Uint8Array(buffer)), buffer.byteLength)
      this.#names.set(buffer, memory)
    }
    return new Tensor(type, typedArray(type, memory, byteOffset, length), dims)
  }
}
