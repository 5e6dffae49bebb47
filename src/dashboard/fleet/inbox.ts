/**
 * Messages between their arrival and their reading: the page reads them in slices, so that it never stutters.
 * Invariant: of a state topic only the newest message waits; what waits is bounded, whatever arrives.
 */

/** A message as it came from the broker: its topic and the bytes of its payload. */
export interface Incoming {
  readonly topic: string
  readonly payload: Uint8Array<ArrayBuffer>
}

export class Inbox {
  readonly #waiting = new Map<string, Incoming>()
  readonly #countMax: number
  #serial = 0
  #dropped = 0

  constructor(countMax = 50_000) {
    this.#countMax = countMax
  }

  get size(): number {
    return this.#waiting.size
  }

  /** Messages that were dropped because too many waited. */
  get dropped(): number {
    return this.#dropped
  }

  /** Adds a message. With `replaces`, an older one of the same topic is forgotten. */
  put(message: Incoming, replaces: boolean): void {
    const key = replaces ? message.topic : `${message.topic}#${this.#serial++}`
    this.#waiting.set(key, message)
    if (this.#waiting.size <= this.#countMax) return
    const [oldest] = this.#waiting.keys()
    this.#waiting.delete(oldest!)
    this.#dropped++
  }

  /** Hands messages to `read`, oldest topic first, until `isOver` or none is left. Returns how many. */
  drain(read: (message: Incoming) => void, isOver: () => boolean): number {
    let count = 0
    for (const [key, message] of this.#waiting) {
      this.#waiting.delete(key)
      read(message)
      count++
      if (count % 8 === 0 && isOver()) break
    }
    return count
  }

  clear(): void {
    this.#waiting.clear()
  }
}
