/**
 * The state of a training run as bytes: a line of JSON, the arrays, and a digest over both.
 * Invariant: decoding what encoding made gives the same numbers, bit by bit; a damaged file is refused.
 */

import { AgentError } from '../base/errors.js'
import { sha256Of } from '../base/digest.js'

export interface Checkpoint {
  /** How many steps the training had taken. */
  readonly step: number
  readonly arrays: readonly Float32Array[]
}

const digestBytes = 64
const kind = 'yolo-edge training checkpoint 2'

interface Head {
  readonly kind: string
  readonly step: number
  readonly lengths: readonly number[]
}

export function encodeCheckpoint({ step, arrays }: Checkpoint): Uint8Array {
  const head: Head = { kind, step, lengths: arrays.map((array) => array.length) }
  const body = Buffer.concat([
    Buffer.from(`${JSON.stringify(head)}\n`),
    ...arrays.map((array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength)),
  ])
  return Buffer.concat([body, Buffer.from(sha256Of(body))])
}

/** Throws `training.checkpoint_unusable`. */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const body = file.subarray(0, Math.max(0, file.length - digestBytes))
  const lineEnd = body.indexOf(10)
  if (lineEnd < 0 || file.subarray(body.length).toString() !== sha256Of(body)) {
    throw new AgentError(
      'training.checkpoint_unusable',
      `cannot go on from the checkpoint: its ${file.length} bytes are cut off or damaged`,
    )
  }
  const head = JSON.parse(body.subarray(0, lineEnd).toString()) as Head
  if (head.kind !== kind) {
    throw new AgentError(
      'training.checkpoint_unusable',
      `cannot go on from the checkpoint: it is a ${JSON.stringify(head.kind)}, expected ${JSON.stringify(kind)}`,
    )
  }
  let at = lineEnd + 1
  const arrays = head.lengths.map((length) => {
    const array = new Float32Array(length)
    new Uint8Array(array.buffer).set(body.subarray(at, at + 4 * length))
    at += 4 * length
    return array
  })
  return { step: head.step, arrays }
}
