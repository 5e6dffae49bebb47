/**
 * Takes the messages out of what a broker sends, so that the MQTT client reads only the rest: reading a message costs the
 * client several tasks and a dozen objects, which at thousands of messages a second is most of what the page does.
 *
 *     bytes of the connection -> [packet] -> plain message?  yes -> onMessage
 *                                                            no  -> given back, whole and in order
 *
 * Invariant: messages of QoS 0 come out in the order of their arrival, wherever the stream is cut; what is not one, or is
 * malformed, is the client's to read.
 */

import type { Incoming } from './inbox.js'

/** First byte of a PUBLISH with QoS 0, whatever its RETAIN flag [MQTT-2.2.2]. */
const isPlainMessage = (firstByte: number): boolean => (firstByte & 0xfe) === 0x30

/** The first byte and a length of at most four bytes. */
const headerMax = 5

/** A number of one to four bytes [MQTT-1.5.5], and where it ends; undefined where it is cut off. */
interface VariableNumber {
  readonly value: number
  readonly end: number
}

export class MessageSieve {
  readonly #version: 4 | 5
  readonly #onMessage: (message: Incoming) => void
  readonly #texts = new TextDecoder('utf-8', { ignoreBOM: true })
  /** The beginning of a packet whose end has not come yet. */
  #parts: Uint8Array<ArrayBuffer>[] = []
  #partsBytes = 0
  /** How many bytes it takes to go on. */
  #neededBytes = 0
  #isBroken = false

  /** `version` is the protocol level of the connection: 4 is MQTT 3.1.1. */
  constructor(version: 4 | 5, onMessage: (message: Incoming) => void) {
    this.#version = version
    this.#onMessage = onMessage
  }

  /**
   * Takes the next bytes of the connection, and gives back what the client has to read of them.
   * A message lends its payload: it lies in the memory of `bytes`.
   */
  sift(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
    if (this.#isBroken) return [bytes]
    if (this.#partsBytes === 0) return this.#siftWhole(bytes)
    this.#parts.push(bytes)
    this.#partsBytes += bytes.length
    return this.#partsBytes < this.#neededBytes ? [] : this.#siftWhole(this.#joined())
  }

  #joined(): Uint8Array<ArrayBuffer> {
    const joined = new Uint8Array(this.#partsBytes)
    let end = 0
    for (const part of this.#parts) {
      joined.set(part, end)
      end += part.length
    }
    this.#parts = []
    this.#partsBytes = 0
    return joined
  }

  /** Sifts `bytes`, which begin with a packet. */
  #siftWhole(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
    const rest: Uint8Array<ArrayBuffer>[] = []
    let start = 0
    while (start < bytes.length) {
      const length = readNumber(bytes, start + 1)
      if (length === 'malformed') {
        this.#isBroken = true
        rest.push(bytes.subarray(start))
        return rest
      }
      const end = length === undefined ? bytes.length + 1 : length.end + length.value
      if (end > bytes.length) {
        this.#keep(bytes.subarray(start), end - start)
        return rest
      }
      const packet = bytes.subarray(start, end)
      const message =
        length && isPlainMessage(packet[0]!) ? this.#read(packet, length.end - start) : undefined
      if (message === undefined) rest.push(packet)
      else this.#onMessage(message)
      start = end
    }
    return rest
  }

  #keep(part: Uint8Array<ArrayBuffer>, neededBytes: number): void {
    this.#parts = [part]
    this.#partsBytes = part.length
    this.#neededBytes = neededBytes
  }

  /** The message of a PUBLISH whose topic begins at `start`; undefined for what the client has to judge. */
  #read(packet: Uint8Array<ArrayBuffer>, start: number): Incoming | undefined {
    const topicStart = start + 2
    if (topicStart > packet.length) return undefined
    const topicEnd = topicStart + packet[start]! * 256 + packet[start + 1]!
    // Without a topic it would be an alias of one, which a client has to ask for.
    if (topicEnd === topicStart || topicEnd > packet.length) return undefined
    const payloadStart = this.#version === 5 ? endOfProperties(packet, topicEnd) : topicEnd
    if (payloadStart === undefined || payloadStart > packet.length) return undefined
    return {
      topic: this.#texts.decode(packet.subarray(topicStart, topicEnd)),
      payload: packet.subarray(payloadStart),
    }
  }
}

/** Where the properties that begin at `start` end [MQTT-2.2.2]; undefined when they are malformed. */
function endOfProperties(packet: Uint8Array, start: number): number | undefined {
  const length = readNumber(packet, start)
  return length === undefined || length === 'malformed' ? undefined : length.end + length.value
}

function readNumber(bytes: Uint8Array, start: number): VariableNumber | 'malformed' | undefined {
  let value = 0
  for (let at = start, factor = 1; at < bytes.length; at++, factor *= 128) {
    if (at - start === headerMax - 1) return 'malformed'
    const byte = bytes[at]!
    value += (byte & 0x7f) * factor
    if (byte < 0x80) return { value, end: at + 1 }
  }
  return undefined
}
