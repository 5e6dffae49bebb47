/**
 * Counts what is arriving, message by message, while it arrives: over a slow line one chunk takes minutes, and only the bytes
 * of a message tell whether it comes.
 *
 *     bytes of the connection -> [packet] -> PUBLISH?  yes -> its topic, and how many of its bytes came
 *                                                      no  -> passed over
 *
 * Invariant: sees the bytes and changes none; holds no more than the beginning of one packet.
 */

/** Hears that `bytes` further bytes of a message of `topic` have come, the message's last or not. */
export type ArrivalListener = (topic: string, bytes: number) => void

/** The fixed header: one byte, and a length of at most four. */
const headerMax = 5
const publishType = 3

export class ArrivalMeter {
  readonly #onArrival: ArrivalListener
  /** The beginning of a packet of which header or topic is not complete. */
  #head: Uint8Array = new Uint8Array()
  /** Bytes of the current packet that have not come yet. */
  #left = 0
  /** Of the current packet; undefined for anything but a PUBLISH. */
  #topic: string | undefined
  #isLost = false

  constructor(onArrival: ArrivalListener) {
    this.#onArrival = onArrival
  }

  /** Takes the next bytes of the connection. What is no MQTT ends the counting: the client ends the connection. */
  take(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length && !this.#isLost) {
      if (this.#left === 0) {
        const used = this.#open(bytes.subarray(at))
        if (used === undefined) return
        at += used
      }
      const count = Math.min(this.#left, bytes.length - at)
      this.#left -= count
      at += count
      if (this.#topic !== undefined && count > 0) this.#onArrival(this.#topic, count)
    }
  }

  /** Reads header and topic. Returns how many of `bytes` they took; undefined when all of them were kept for later. */
  #open(bytes: Uint8Array): number | undefined {
    const known = this.#head.length
    const head = known === 0 ? bytes : Buffer.concat([this.#head, bytes])
    const size = sizeOfStart(head)
    if (size === 'malformed') {
      this.#isLost = true
      return undefined
    }
    if (size === undefined || size.topicEnd > head.length) {
      this.#head = Uint8Array.from(head)
      return undefined
    }
    const isPublish = head[0]! >> 4 === publishType
    this.#topic = isPublish
      ? Buffer.from(head.buffer, head.byteOffset + size.topicAt, size.topicEnd - size.topicAt).toString()
      : undefined
    this.#left = size.packetEnd - size.topicEnd
    this.#head = new Uint8Array()
    return size.topicEnd - known
  }
}

/** Where topic and packet end, counted from the first byte of the packet; without a topic both are empty. */
interface PacketStart {
  readonly topicAt: number
  readonly topicEnd: number
  readonly packetEnd: number
}

function sizeOfStart(head: Uint8Array): PacketStart | 'malformed' | undefined {
  let value = 0
  let at = 1
  for (let factor = 1; ; factor *= 128) {
    if (at === headerMax) return 'malformed'
    const byte = head[at++]
    if (byte === undefined) return undefined
    value += (byte & 0x7f) * factor
    if (byte < 0x80) break
  }
  const packetEnd = at + value
  if (head[0]! >> 4 !== publishType) return { topicAt: at, topicEnd: at, packetEnd }
  if (value < 2) return 'malformed'
  if (head.length < at + 2) return undefined
  const topicAt = at + 2
  const topicEnd = topicAt + head[at]! * 256 + head[at + 1]!
  return topicEnd > packetEnd ? 'malformed' : { topicAt, topicEnd, packetEnd }
}
