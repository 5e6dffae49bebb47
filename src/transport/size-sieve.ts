/**
 * Keeps messages that are too large for their topic out of memory: the rest of such a packet is thrown away as it comes in.
 *
 *     bytes of the connection -> [packet] -> PUBLISH over its limit?  no  -> the client, untouched
 *                                                                     yes -> the client, with a mark instead of its payload
 *
 * The client acknowledges the message with the mark like any other, so that the broker does not send it for ever.
 * Invariant: never holds more than the header and the topic of a packet; every other byte goes on in order, wherever the
 * stream is cut.
 */

import { randomBytes } from 'node:crypto'

/** What a sieve needs to know. */
export interface SizeSieveOptions {
  /** Protocol level of the connection: 4 is MQTT 3.1.1. */
  readonly version: 4 | 5
  /** Payload bytes of the largest message that is wanted from a topic. */
  readonly bytesMaxOf: (topic: string) => number
  /** Called for each message that is kept out, with the size of its packet. */
  readonly onOversized: (topic: string, packetBytes: number) => void
}

const publishType = 3
/** A packet up to this size is passed on without a look: no limit is smaller than what its header may take. */
const smallBytes = 1024
/** Properties of a message that anybody has a use for are shorter. */
const propertiesBytesMax = 16 * 1024
/** First byte, length of four bytes, topic with its length, packet identifier, length of the properties. */
const headBytesMax = 5 + 2 + 65_535 + 2 + 4 + propertiesBytesMax

/** What is known of a packet from its first bytes. */
interface Head {
  /** Bytes of the whole packet. */
  readonly packetBytes: number
  /** What of `bytes` is head: the topic and what stands before the payload; of other packets nothing. */
  readonly headBytes: number
  readonly topic?: string
  /** First byte, topic and packet identifier, for the packet that takes its place. */
  readonly kept?: { readonly firstByte: number; readonly variable: Uint8Array }
}

export class SizeSieve {
  /** Stands for a payload that was kept out; nobody else can know it. */
  readonly mark: Buffer = randomBytes(16)
  readonly #options: SizeSieveOptions
  #head: Buffer = Buffer.alloc(0)
  /** Bytes of the packet under way that are still to come, and whether they go on. */
  #leftBytes = 0
  #isPassed = true
  #isBroken = false
  #droppedBytes = 0

  constructor(options: SizeSieveOptions) {
    this.#options = options
  }

  /** Bytes that were kept out so far. */
  get droppedBytes(): number {
    return this.#droppedBytes
  }

  /** Whether `payload` is the mark of a message that was kept out. */
  isMark(payload: Uint8Array): boolean {
    return payload.byteLength === this.mark.byteLength && this.mark.equals(payload)
  }

  /** Takes the next bytes of the connection; gives back what the client reads of them, in order. */
  sift(bytes: Buffer): readonly Buffer[] {
    if (this.#isBroken) return [bytes]
    const passed: Buffer[] = []
    let rest = bytes
    while (rest.length > 0) {
      if (this.#leftBytes > 0) {
        const piece = rest.subarray(0, this.#leftBytes)
        this.#leftBytes -= piece.length
        if (this.#isPassed) passed.push(piece)
        else this.#droppedBytes += piece.length
        rest = rest.subarray(piece.length)
        continue
      }
      const joined = this.#head.length === 0 ? rest : Buffer.concat([this.#head, rest])
      this.#head = Buffer.alloc(0)
      const head = this.#readHead(joined)
      if (head === 'malformed') {
        this.#isBroken = true
        passed.push(joined)
        return passed
      }
      if (head === undefined) {
        this.#head = Buffer.from(joined)
        return passed
      }
      rest = this.#begin(head, joined, passed)
    }
    return passed
  }

  /** Begins the packet of `head`, with which `bytes` begin; returns what follows its head. */
  #begin(head: Head, bytes: Buffer, passed: Buffer[]): Buffer {
    const { packetBytes, headBytes, topic, kept } = head
    const payloadBytes = packetBytes - headBytes
    this.#isPassed = topic === undefined || payloadBytes <= this.#options.bytesMaxOf(topic)
    this.#leftBytes = packetBytes - headBytes
    if (this.#isPassed) {
      if (headBytes > 0) passed.push(bytes.subarray(0, headBytes))
    } else if (kept !== undefined && topic !== undefined) {
      passed.push(this.#replacement(kept))
      this.#options.onOversized(topic, packetBytes)
    }
    return bytes.subarray(headBytes)
  }

  /** The same message with the mark as its payload, without properties. */
  #replacement({ firstByte, variable }: NonNullable<Head['kept']>): Buffer {
    const properties = this.#options.version === 5 ? Buffer.of(0) : Buffer.alloc(0)
    const body = Buffer.concat([variable, properties, this.mark])
    return Buffer.concat([Buffer.of(firstByte, ...variableNumber(body.length)), body])
  }

  /** The head of the packet that `bytes` begin with; undefined while too little has come. */
  #readHead(bytes: Buffer): Head | 'malformed' | undefined {
    const length = readNumber(bytes, 1)
    if (length === undefined || length === 'malformed') return length
    const packetBytes = length.end + length.value
    const firstByte = bytes[0]!
    if (firstByte >> 4 !== publishType || packetBytes <= smallBytes) return { packetBytes, headBytes: 0 }
    if (bytes.length < length.end + 2) return undefined
    const topicEnd = length.end + 2 + bytes.readUInt16BE(length.end)
    const hasIdentifier = ((firstByte >> 1) & 3) > 0
    const variableEnd = topicEnd + (hasIdentifier ? 2 : 0)
    if (variableEnd > packetBytes) return 'malformed'
    if (bytes.length < variableEnd) return undefined
    const head = {
      packetBytes,
      topic: bytes.toString('utf8', length.end + 2, topicEnd),
      kept: { firstByte, variable: bytes.subarray(length.end, variableEnd) },
    }
    if (this.#options.version === 4) return { ...head, headBytes: variableEnd }
    const properties = readNumber(bytes, variableEnd)
    if (properties === undefined || properties === 'malformed') return properties
    // Long properties count as payload, so that they are kept out with it.
    const isLong = properties.value > propertiesBytesMax
    const headBytes = isLong ? variableEnd : properties.end + properties.value
    if (headBytes > packetBytes) return 'malformed'
    return bytes.length < headBytes && bytes.length < headBytesMax ? undefined : { ...head, headBytes }
  }
}

/** A number of one to four bytes [MQTT-1.5.5], and where it ends; undefined where it is cut off. */
function readNumber(
  bytes: Buffer,
  start: number,
): { readonly value: number; readonly end: number } | 'malformed' | undefined {
  let value = 0
  for (let index = 0; index < 4; index++) {
    const byte = bytes[start + index]
    if (byte === undefined) return undefined
    value += (byte & 0x7f) * 128 ** index
    if (byte < 0x80) return { value, end: start + index + 1 }
  }
  return 'malformed'
}

function variableNumber(value: number): readonly number[] {
  const bytes: number[] = []
  for (let left = value; ;) {
    const byte = left % 128
    left = Math.floor(left / 128)
    bytes.push(left > 0 ? byte | 0x80 : byte)
    if (left === 0) return bytes
  }
}
