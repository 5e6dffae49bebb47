/**
 * The tensors of a session that lie in memory which the caller sees as well: inputs that every run reads, outputs that every run writes.
 * For training, whose weights and gradients would else cross the threads as some hundred messages a step.
 * Invariant: ONNX Runtime, which cannot read shared memory, gets copies in memory that is the session's own and made once.
 */

import { Tensor } from 'onnxruntime-node'
import { AgentError } from '../base/errors.js'
import { type SessionTensor, typedArray } from './tensor.js'

/** Arrays in shared memory. While the session reads or a run is under way, only the session touches them. */
export interface BoundTensors {
  /** Read as one piece, so they should lie close together; when a run begins, unless they were read for it before. */
  readonly inputs: ReadonlyMap<string, SessionTensor>
  /** Of the size of the output. */
  readonly outputs: ReadonlyMap<string, SessionTensor['data']>
}

export class SharedTensors {
  readonly #feeds: Readonly<Record<string, Tensor>>
  readonly #copies: readonly { readonly from: Uint8Array; readonly to: Uint8Array }[]
  readonly #outputs: BoundTensors['outputs']
  #isRead = false

  constructor({ inputs, outputs }: BoundTensors) {
    this.#outputs = outputs
    const spans = new Map<ArrayBufferLike, { start: number; end: number }>()
    for (const { data } of inputs.values()) {
      const span = spans.get(data.buffer) ?? { start: Infinity, end: 0 }
      span.start = Math.min(span.start, data.byteOffset)
      span.end = Math.max(span.end, data.byteOffset + data.byteLength)
      spans.set(data.buffer, span)
    }
    const own = new Map([...spans].map(([shared, { start, end }]) => [shared, new ArrayBuffer(end - start)]))
    this.#copies = [...spans].map(([shared, { start, end }]) => ({
      from: new Uint8Array(shared, start, end - start),
      to: new Uint8Array(own.get(shared)!),
    }))
    this.#feeds = Object.fromEntries(
      [...inputs].map(([name, { type, dims, data }]) => {
        const { start } = spans.get(data.buffer)!
        const array = typedArray(type, own.get(data.buffer)!, data.byteOffset - start, data.length)
        return [name, new Tensor(type, array, dims)]
      }),
    )
  }

  /** Reads the bound inputs as they are now, for the next run. */
  read(): void {
    for (const { from, to } of this.#copies) to.set(from)
    this.#isRead = true
  }

  /** The bound inputs for a run: as they were read for it, else as they are now. */
  feeds(): Readonly<Record<string, Tensor>> {
    if (!this.#isRead) this.read()
    this.#isRead = false
    return this.#feeds
  }

  /** Whether `output` is bound and was written. Throws `inference.run_failed` when it has another size than its array. */
  write(output: string, { data }: Tensor): boolean {
    const array = this.#outputs.get(output)
    if (array === undefined) return false
    const { buffer, byteOffset, byteLength } = data as Exclude<Tensor['data'], string[]>
    if (byteLength !== array.byteLength) {
      throw new AgentError(
        'inference.run_failed',
        `cannot write the output ${output} of ${byteLength} bytes into ${array.byteLength} bytes`,
      )
    }
    bytesOf(array).set(new Uint8Array(buffer, byteOffset, byteLength))
    return true
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: SessionTensor['data']): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
