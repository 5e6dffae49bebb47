/**
 * The transfer container: an ONNX file with its constants entropy-coded, byte-exact both ways.
 *
 *     "YEP1" | decoded length u32 | sha256 of the decoded file | blocks ... | end block
 *     block: kind u8 | decoded length u32 | coded length u32 | [begin a tensor: element bytes u8, slice u16, zero u8] | content
 *
 * Integers are little-endian. Graph structure goes as brotli blocks, constants as range-coded ones; a tensor spans
 * several blocks and keeps its models.
 * Invariant: a block decodes to at most `blockBytes`, so a decoder needs memory for one block and the models only;
 * the digest is checked before the last bytes are handed out as complete.
 */

import { createHash } from 'node:crypto'
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'

import { AgentError, wrapError } from '../../base/errors.js'
import { ElementCoder, type ElementLayout } from './element-coder.js'
import { type ConstantRange, findConstants } from './onnx-layout.js'
import { RangeDecoder, RangeEncoder } from './range-coder.js'

const magic = 0x31504559
const headerBytes = 40
const blockHeaderBytes = 9
const blockBytes = 65_536
/** A block of incompressible data grows by its header and a few bytes. */
const codedBlockLimit = 2 * blockBytes

const kinds = { end: 0, brotli: 1, beginTensor: 2, tensor: 3 } as const
/** Small constants cost less inside the structure. */
const smallestTensorBytes = 256

/** Packs a file; an ONNX model shrinks most, anything else is still packed exactly. */
export function pack(file: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [header(file)]
  let at = 0
  for (const range of findConstants(file)) {
    if (range.end - range.start < smallestTensorBytes) continue
    packStructure(file.subarray(at, range.start), parts, 11)
    packTensor(file.subarray(range.start, range.end), range, parts)
    at = range.end
  }
  packStructure(file.subarray(at), parts, 11)
  parts.push(blockHeader(kinds.end, 0, 0))
  return Buffer.concat(parts)
}

/** The file that was packed. Throws as `unpackStream` does. */
export function unpack(packed: Uint8Array): Uint8Array {
  const unpacker = new Unpacker()
  return Buffer.concat([...unpacker.push(packed), ...unpacker.finish()])
}

/**
 * Decodes while the bytes arrive. What was handed out may be used only after the end was reached without an error.
 * Throws `protocol.payload_malformed` for what is no container and `integrity.digest_mismatch` for a wrong content.
 */
export async function* unpackStream(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const unpacker = new Unpacker()
  for await (const chunk of chunks) yield* unpacker.push(chunk)
  yield* unpacker.finish()
}

/** The decoder behind both forms of unpacking: bytes in, decoded pieces out. */
class Unpacker {
  readonly #hash = createHash('sha256')
  #pending: Uint8Array = new Uint8Array(0)
  #expected: { readonly length: number; readonly digest: Buffer } | undefined
  #decoded = 0
  #ended = false
  #tensor: ElementCoder | undefined;

  *push(chunk: Uint8Array): Generator<Uint8Array> {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    if (this.#expected === undefined && !this.#readHeader()) return
    while (!this.#ended) {
      const block = this.#takeBlock()
      if (block === undefined) return
      const piece = this.#decode(block)
      this.#decoded += piece.length
      if (this.#decoded > this.#expected!.length) throw malformed('it decodes to more than it states')
      this.#hash.update(piece)
      if (piece.length > 0) yield piece
    }
  }

  finish(): readonly Uint8Array[] {
    if (!this.#ended || this.#expected === undefined) throw malformed('it ends early')
    if (this.#decoded !== this.#expected.length) {
      throw malformed(`it decodes to ${this.#decoded} bytes instead of ${this.#expected.length}`)
    }
    const digest = this.#hash.digest()
    if (digest.equals(this.#expected.digest)) return []
    throw new AgentError(
      'integrity.digest_mismatch',
      `unpacking gave a file with sha256 ${digest.toString('hex')}, expected ${this.#expected.digest.toString('hex')}`,
    )
  }

  #readHeader(): boolean {
    if (this.#pending.length < headerBytes) return false
    const view = viewOf(this.#pending)
    if (view.getUint32(0, true) !== magic) throw malformed('it does not begin with YEP1')
    this.#expected = {
      length: view.getUint32(4, true),
      digest: Buffer.from(this.#pending.subarray(8, headerBytes)),
    }
    this.#pending = this.#pending.subarray(headerBytes)
    return true
  }

  #takeBlock(): Block | undefined {
    if (this.#pending.length < blockHeaderBytes) return undefined
    const view = viewOf(this.#pending)
    const [kind, length, coded] = [view.getUint8(0), view.getUint32(1, true), view.getUint32(5, true)]
    if (length > blockBytes || coded > codedBlockLimit)
      throw malformed(`a block of ${length} bytes is too long`)
    const end = blockHeaderBytes + coded
    if (this.#pending.length < end) return undefined
    const content = this.#pending.subarray(blockHeaderBytes, end)
    this.#pending = this.#pending.subarray(end)
    return { kind, length, content }
  }

  #decode({ kind, length, content }: Block): Uint8Array {
    switch (kind) {
      case kinds.end:
        this.#ended = true
        return new Uint8Array(0)
      case kinds.brotli:
        return inflated(content, length)
      case kinds.beginTensor:
        this.#tensor = new ElementCoder(readLayout(content))
        return new Uint8Array(0)
      case kinds.tensor: {
        if (this.#tensor === undefined) throw malformed('a tensor block comes before its layout')
        const bytes = new Uint8Array(length)
        this.#tensor.decode(bytes, new RangeDecoder(content))
        return bytes
      }
      default:
        throw malformed(`it has a block of kind ${kind}`)
    }
  }
}

interface Block {
  readonly kind: number
  readonly length: number
  readonly content: Uint8Array
}

function inflated(content: Uint8Array, length: number): Uint8Array {
  try {
    const bytes = brotliDecompressSync(content, { maxOutputLength: blockBytes })
    if (bytes.length === length) return bytes
  } catch (thrown) {
    throw wrapError(thrown, 'protocol.payload_malformed', 'unpacking a model failed: a block is damaged')
  }
  throw malformed('a block has another length than it states')
}

function packStructure(bytes: Uint8Array, parts: Uint8Array[], quality = 9): void {
  for (let at = 0; at < bytes.length; at += blockBytes) {
    const piece = bytes.subarray(at, at + blockBytes)
    const coded = brotliCompressSync(piece, { params: { [constants.BROTLI_PARAM_QUALITY]: quality } })
    parts.push(blockHeader(kinds.brotli, piece.length, coded.length), coded)
  }
}

/** A constant by the element coder, or by brotli where wide values repeat. */
function packTensor(bytes: Uint8Array, range: ConstantRange, parts: Uint8Array[]): void {
  const coded: Uint8Array[] = []
  codeTensor(bytes, { ...range, zero: range.elementBytes === 1 ? mostFrequent(bytes) : 0 }, coded)
  if (range.elementBytes === 1) {
    parts.push(...coded)
    return
  }
  const plain: Uint8Array[] = []
  packStructure(bytes, plain)
  const size = (list: readonly Uint8Array[]): number => list.reduce((sum, part) => sum + part.length, 0)
  parts.push(...(size(plain) < size(coded) ? plain : coded))
}

function mostFrequent(bytes: Uint8Array): number {
  const counts = new Uint32Array(256)
  for (const byte of bytes) counts[byte]!++
  return counts.indexOf(counts.reduce((best, count) => Math.max(best, count), 0))
}

function codeTensor(bytes: Uint8Array, layout: ElementLayout, parts: Uint8Array[]): void {
  const description = new Uint8Array(4)
  description[0] = layout.elementBytes
  viewOf(description).setUint16(1, layout.slice, true)
  description[3] = layout.zero
  parts.push(blockHeader(kinds.beginTensor, 0, description.length), description)
  const models = new ElementCoder(layout)
  const coder = new RangeEncoder()
  for (let at = 0; at < bytes.length; at += blockBytes) {
    const piece = bytes.subarray(at, at + blockBytes)
    models.encode(piece, coder)
    const coded = coder.finish()
    parts.push(blockHeader(kinds.tensor, piece.length, coded.length), coded)
  }
}

function readLayout(content: Uint8Array): ElementLayout {
  if (content.length !== 4) throw malformed('a tensor has no layout')
  const [elementBytes, slice, zero] = [content[0]!, viewOf(content).getUint16(1, true), content[3]!]
  if (![1, 2, 4, 8].includes(elementBytes) || slice < 1 || slice > 4096)
    throw malformed('a tensor has no layout')
  return { elementBytes, slice, zero }
}

function header(file: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headerBytes)
  viewOf(bytes).setUint32(0, magic, true)
  viewOf(bytes).setUint32(4, file.length, true)
  bytes.set(createHash('sha256').update(file).digest(), 8)
  return bytes
}

function blockHeader(kind: number, length: number, coded: number): Uint8Array {
  const bytes = new Uint8Array(blockHeaderBytes)
  const view = viewOf(bytes)
  view.setUint8(0, kind)
  view.setUint32(1, length, true)
  view.setUint32(5, coded, true)
  return bytes
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function malformed(reason: string): AgentError {
  return new AgentError('protocol.payload_malformed', `unpacking a model failed: ${reason}`)
}
