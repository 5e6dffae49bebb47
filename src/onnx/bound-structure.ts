/**
 * A walk over the encoded model before it is decoded, so that a hostile file cannot ask for more memory than its size
 * justifies: a two-byte field may become an object a hundred times larger.
 * Invariant: at most `limits.fields` objects are made from any file, and no message reaches beyond its parent.
 */

import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { AgentError } from '../base/errors.js'

/** The largest real export (YOLOv8x, not simplified) has about 10,000 fields. */
const limits = { fields: 1_000_000, bytes: 0x7fff_ffff }

type Content = 'model' | 'graph' | 'node' | 'tensor' | 'attribute' | 'bytes' | 'integers'

/** Which fields of a message hold what; a field that is not listed counts as one. */
const nested: Readonly<Record<Content, Readonly<Record<number, Content>>>> = {
  model: { 7: 'graph' },
  graph: { 1: 'node', 5: 'tensor' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor' },
  tensor: { 4: 'bytes', 5: 'bytes', 7: 'integers', 9: 'bytes', 10: 'bytes' },
  bytes: {},
  integers: {},
}

/** Fields that are messages but are not walked into: each holds a handful of small fields, so its bytes are counted. */
const smallMessages: Readonly<Record<string, readonly number[]>> = { model: [8, 14], graph: [11, 12] }

/** Throws `model.parse_failed` unless the file is a well-nested message of bounded size. */
export function requireBoundedStructure(bytes: Uint8Array): void {
  if (bytes.byteLength > limits.bytes) {
    throw new AgentError(
      'model.parse_failed',
      `the model has ${bytes.byteLength} bytes, expected at most ${limits.bytes}`,
    )
  }
  const reader = new BinaryReader(bytes)
  let fields = 0
  walk('model', bytes.byteLength)

  function walk(content: Content, end: number): void {
    while (reader.pos < end) {
      const [field, wireType] = reader.tag()
      count(1)
      if (wireType !== WireType.LengthDelimited) {
        reader.skip(wireType, field)
      } else {
        const length = reader.uint32()
        const inner = nested[content][field]
        const innerEnd = reader.pos + length
        if (innerEnd > end) fail(`field ${field} of a ${content} reaches beyond its end`)
        if (inner === 'integers' || smallMessages[content]?.includes(field) === true) count(length)
        if (inner === undefined || inner === 'bytes' || inner === 'integers') reader.pos = innerEnd
        else walk(inner, innerEnd)
      }
      if (reader.pos > end) fail(`field ${field} of a ${content} reaches beyond its end`)
    }
  }

  function count(added: number): void {
    fields += added
    if (fields > limits.fields) fail(`it has more than ${limits.fields} fields`)
  }

  function fail(reason: string): never {
    throw new AgentError('model.parse_failed', `the model is not a usable ONNX file: ${reason}`)
  }
}
