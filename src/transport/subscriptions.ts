/**
 * Who wants which messages: a table of filters with their listeners.
 * Invariant: a filter is in the table exactly while somebody listens to it.
 */

import type { IncomingMessage } from './mqtt-session.js'

/** Called for each message of a subscription; must not throw and must not keep the payload. */
export type MessageListener = (message: IncomingMessage) => void

interface Entry {
  qos: 0 | 1
  readonly listeners: Set<MessageListener>
}

/** Whether `topic` is matched by `filter`, which may hold `+` and end in `#` [MQTT-4.7]. */
export function matchesFilter(filter: string, topic: string): boolean {
  const wanted = filter.split('/')
  const levels = topic.split('/')
  for (let depth = 0; depth < wanted.length; depth++) {
    const level = wanted[depth]
    if (level === '#') return !topic.startsWith('$') || depth > 0
    if (depth >= levels.length) return false
    const matches = level === levels[depth] || (level === '+' && (depth > 0 || !topic.startsWith('$')))
    if (!matches) return false
  }
  return wanted.length === levels.length
}

const isPlain = (filter: string): boolean => !filter.includes('+') && !filter.includes('#')

export class Subscriptions {
  /** Plain topics are found by name, so that a window of chunk topics costs nothing. */
  readonly #plain = new Map<string, Entry>()
  readonly #wildcard = new Map<string, Entry>()

  /** Adds a listener; returns whether the broker has to be told: the filter is new, or wanted with a higher QoS. */
  add(filter: string, qos: 0 | 1, listener: MessageListener): boolean {
    const table = isPlain(filter) ? this.#plain : this.#wildcard
    const entry = table.get(filter)
    if (entry === undefined) {
      table.set(filter, { qos, listeners: new Set([listener]) })
      return true
    }
    const isHigher = qos > entry.qos
    if (isHigher) entry.qos = qos
    entry.listeners.add(listener)
    return isHigher
  }

  /** Removes a listener; returns whether nobody is left, so that the broker has to be told. */
  remove(filter: string, listener: MessageListener): boolean {
    const table = isPlain(filter) ? this.#plain : this.#wildcard
    const entry = table.get(filter)
    if (entry?.listeners.delete(listener) !== true || entry.listeners.size > 0) return false
    return table.delete(filter)
  }

  /** Whether anybody listens to `filter`. */
  has(filter: string): boolean {
    return this.#plain.has(filter) || this.#wildcard.has(filter)
  }

  /** Every filter with its QoS. */
  *all(): Iterable<readonly [filter: string, qos: 0 | 1]> {
    for (const table of [this.#plain, this.#wildcard]) {
      for (const [filter, { qos }] of table) yield [filter, qos]
    }
  }

  /** Gives a message to everybody who wants it; returns to how many. */
  dispatch(message: IncomingMessage): number {
    let count = 0
    const give = (entry: Entry): void => {
      for (const listener of [...entry.listeners]) {
        count++
        listener(message)
      }
    }
    const plain = this.#plain.get(message.topic)
    if (plain !== undefined) give(plain)
    for (const [filter, entry] of this.#wildcard) {
      if (matchesFilter(filter, message.topic)) give(entry)
    }
    return count
  }
}
