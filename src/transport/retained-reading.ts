/**
 * What a broker holds under some topics.
 *
 * Silence proves nothing: over a slow line one message takes longer than any pause that one would wait for. Neither does an
 * answer: aedes and Artemis answer later requests before they have given what is retained. What ends a reading is a whole way
 * to the broker and back in which nothing of it came, not even a part of a message, after at least `quietMs` without any: what
 * a broker still had to write would have been in front of its answer, or would have come since.
 * Subscriptions have QoS 0: of QoS 1 Mosquitto throws away what exceeds its queue, and says nothing.
 * Invariant: a reading that did not end so says why; it never counts as complete.
 */

import { type Clock, systemClock } from '../base/clock.js'
import { AgentError } from '../base/errors.js'
import type { MqttConnection } from './mqtt-connection.js'
import { matchesFilter } from './subscriptions.js'

/** How a reading ends. */
export interface ReadingOptions {
  /** The least time without any part of a message that ends it, milliseconds; 1,000 unless given. */
  readonly quietMs?: number
  /** Time in which nothing at all comes, the broker's answer neither, that gives it up; 60,000 ms unless given. */
  readonly stallMs?: number
  /** Gives up a reading that goes on and on; 600,000 ms unless given. */
  readonly limitMs?: number
  /** Ends the reading as complete at once: everything that is expected is here. */
  readonly isComplete?: (received: ReadonlyMap<string, Uint8Array>) => boolean
  readonly clock?: Clock
}

/** What was read. */
export interface Reading {
  /** The newest message of each topic, by topic; empty ones are left out. */
  readonly messages: ReadonlyMap<string, Uint8Array>
  /** Why it is not known to be everything; undefined where it is. */
  readonly unfinished?: string
}

/** Reads what is retained under `filters`. Does not reject: what went wrong is the reason why the reading is unfinished. */
export async function readRetained(
  connection: MqttConnection,
  filters: readonly string[],
  options: ReadingOptions = {},
): Promise<Reading> {
  return new RetainedReader(connection, filters, options).run()
}

/** The messages of a reading that must be complete. Throws `network.reading_unfinished`, which begins with `attempt`. */
export function requireFinished({ messages, unfinished }: Reading, attempt: string): Reading['messages'] {
  if (unfinished === undefined) return messages
  throw new AgentError('network.reading_unfinished', `${attempt}: ${unfinished}`, {
    hint: 'Try again, over a better line if it stays so',
  })
}

/** How often the time is looked at. */
const lookMs = 100

/** What the broker has said last: nothing yet, its word on the subscription, or that it has answered. */
type Word = 'waiting' | 'agreed' | 'refused' | 'back' | 'offline'

class RetainedReader {
  readonly #connection: MqttConnection
  readonly #filters: readonly string[]
  readonly #options: ReadingOptions
  readonly #clock: Clock
  readonly #plain: ReadonlySet<string>
  readonly #wildcards: readonly string[]
  readonly #received = new Map<string, Uint8Array>()
  readonly #complete = new AbortController()
  /** When the last part of a message of these filters came, or the broker agreed to give them. */
  #heardAtMs = 0
  /** When anything last came: a part of a message, or an answer. */
  #aliveAtMs = 0
  #word: Word = 'waiting'

  constructor(connection: MqttConnection, filters: readonly string[], options: ReadingOptions) {
    this.#connection = connection
    this.#filters = filters
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#wildcards = filters.filter((filter) => filter.includes('+') || filter.includes('#'))
    this.#plain = new Set(filters)
  }

  async run(): Promise<Reading> {
    const endMeter = this.#connection.onArrival((topic) => {
      this.#aliveAtMs = this.#clock.monotonicMs()
      if (this.#isOurs(topic)) this.#heardAtMs = this.#aliveAtMs
    })
    let endsWithOffline: () => void = () => undefined
    const offline = new Promise<'offline'>((resolve) => {
      endsWithOffline = this.#connection.onOnlineChange((isOnline) => {
        if (!isOnline) resolve('offline')
      })
    })
    const subscription = this.#connection.subscribe(this.#filters, 0, ({ topic, payload }) => {
      // An empty message clears what was retained.
      if (payload.byteLength === 0) this.#received.delete(topic)
      else this.#received.set(topic, Uint8Array.from(payload))
      if (this.#options.isComplete?.(this.#received) === true) this.#complete.abort()
    })
    try {
      const unfinished = await this.#untilEnd(subscription.outcome, offline)
      return { messages: this.#received, ...(unfinished !== undefined && { unfinished }) }
    } finally {
      endMeter()
      endsWithOffline()
      // Not awaited: over a stalled line its answer would not come.
      void subscription.close()
    }
  }

  #isOurs(topic: string): boolean {
    return this.#plain.has(topic) || this.#wildcards.some((filter) => matchesFilter(filter, topic))
  }

  /** Resolves with undefined when the end is known, or with the reason why it is not. */
  async #untilEnd(
    agreed: Promise<{ readonly status: string }>,
    offline: Promise<'offline'>,
  ): Promise<string | undefined> {
    const { quietMs = 1000, stallMs = 60_000, limitMs = 600_000 } = this.#options
    const startMs = this.#clock.monotonicMs()
    this.#aliveAtMs = startMs
    let askedAtMs = startMs
    this.#note(Promise.race([agreed.then(({ status }) => wordOf(status)), offline]))
    for (;;) {
      if (this.#complete.signal.aborted) return undefined
      const nowMs = this.#clock.monotonicMs()
      const failure = this.#failure()
      if (failure !== undefined) return failure
      if (this.#word === 'agreed') this.#heardAtMs = Math.max(this.#heardAtMs, startMs)
      const isQuiet = nowMs - Math.max(this.#heardAtMs, startMs) >= quietMs
      if (this.#word === 'back' && askedAtMs > this.#heardAtMs && isQuiet) return undefined
      if (nowMs - this.#aliveAtMs >= stallMs) return `nothing came for ${seconds(nowMs - this.#aliveAtMs)} s`
      if (nowMs - startMs >= limitMs) return `it was not over after ${seconds(nowMs - startMs)} s`
      if (this.#word === 'agreed' || (this.#word === 'back' && askedAtMs <= this.#heardAtMs)) {
        askedAtMs = nowMs
        this.#word = 'waiting'
        const back = this.#connection.roundTrip().then((isBack): Word => (isBack ? 'back' : 'offline'))
        this.#note(Promise.race([back, offline]))
      }
      await this.#clock.sleep(Math.min(lookMs, quietMs / 4), this.#complete.signal)
    }
  }

  #note(word: Promise<Word>): void {
    void word.then((said) => {
      this.#word = said
      this.#aliveAtMs = this.#clock.monotonicMs()
    })
  }

  #failure(): string | undefined {
    if (this.#word === 'refused')
      return 'the broker refused the subscription: its access rules forbid this account to read it'
    if (this.#word !== 'offline') return undefined
    return `the connection was lost: ${this.#connection.lastError?.message ?? 'no reason was given'}`
  }
}

function wordOf(status: string): Word {
  return status === 'granted' ? 'agreed' : status === 'refused' ? 'refused' : 'offline'
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(0)
}
