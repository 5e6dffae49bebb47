/**
 * A sink with its own bounded queue: a slow or broken sink loses its own results and nobody else's.
 * Invariant: offer() never waits; a sink has at most one result in hand; results keep their order.
 */

import type { Clock } from '../base/clock.js'
import { DropQueue } from '../base/drop-queue.js'
import type { FrameResult } from './frame-result.js'
import type { ResultSink } from './ports.js'
import type { RepeatLog } from './repeat-log.js'

/** Totals since the start. */
export interface SinkStats {
  readonly name: string
  readonly accepted: number
  /** Results that gave way to newer ones, or were left when the time to drain was over. */
  readonly dropped: number
  readonly errors: number
  readonly queued: number
}

export class SinkFeed {
  readonly #sink: ResultSink
  readonly #queue: DropQueue<FrameResult>
  readonly #log: RepeatLog
  #feeding: Promise<void> | undefined
  #isEnded = false
  #accepted = 0
  #errors = 0
  #left = 0

  constructor(sink: ResultSink, capacity: number, log: RepeatLog) {
    this.#sink = sink
    this.#queue = new DropQueue(capacity)
    this.#log = log
  }

  /** Queues `result`; the oldest waiting one gives way when the queue is full. */
  offer(result: FrameResult): void {
    if (this.#isEnded) return
    this.#queue.push(result)
    this.#feeding ??= this.#feed()
  }

  stats(): SinkStats {
    return {
      name: this.#sink.name,
      accepted: this.#accepted,
      dropped: this.#queue.dropped + this.#left,
      errors: this.#errors,
      queued: this.#queue.size,
    }
  }

  /** Takes no more results and waits until the queue is empty, at most `limitMs`; what is left then is dropped. */
  async drain(limitMs: number, clock: Clock): Promise<void> {
    this.#isEnded = true
    const done = new AbortController()
    await Promise.race([this.#feeding, clock.sleep(limitMs, done.signal)])
    done.abort()
    while (this.#queue.take() !== undefined) this.#left++
  }

  async #feed(): Promise<void> {
    for (let result = this.#queue.take(); result !== undefined; result = this.#queue.take()) {
      try {
        await this.#sink.accept(result)
        this.#accepted++
      } catch (thrown) {
        this.#errors++
        this.#log.warn(thrown, `sink ${this.#sink.name} did not take a result`)
      }
    }
    this.#feeding = undefined
  }
}
