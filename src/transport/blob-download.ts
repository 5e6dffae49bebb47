/**
 * Fetches the chunks of a blob that are still missing: explicit chunk topics, subscribed in a sliding window.
 *
 *     missing  [12][13][14][15][16][17] ...
 *                \___ window ___/   a chunk that is stored leaves the window, the next missing one enters
 *
 * Invariant: a chunk counts only when the sink has stored it; a wrong or silent one is asked for again; nothing that the
 * sink already has is asked for.
 */

import type { Clock } from '../base/clock.js'
import { systemClock } from '../base/clock.js'
import { AgentError, wrapError } from '../base/errors.js'
import type { Blob } from '../protocol/blob.js'
import { chunkRange } from '../protocol/blob.js'
import type { Topics } from '../protocol/topics.js'
import type { IncomingMessage, PublishOutcome } from './mqtt-session.js'
import type { MqttConnection, Subscription } from './mqtt-connection.js'

/** Where chunks go. `writeChunk` checks length and digest, and says whether it kept the chunk. */
export interface ChunkSink {
  missingChunks(): readonly number[]
  writeChunk(index: number, bytes: Uint8Array): Promise<'stored' | 'mismatch'>
}

export interface DownloadOptions {
  /** Chunks asked for at once; 32 unless given. */
  readonly windowChunks?: number
  /** Silence after which a chunk is asked for again, milliseconds; 10,000 unless given. */
  readonly chunkTimeoutMs?: number
  /** How often one chunk is asked for while the broker is reachable; 5 unless given. */
  readonly attemptsMax?: number
  /** Most bytes a second; no limit unless given. */
  readonly bytesPerSecondMax?: number
  /** Gives the download up; what is stored stays. */
  readonly signal?: AbortSignal
  readonly onProgress?: (storedBytes: number, totalBytes: number) => void
  readonly clock?: Clock
}

/** What a download did. */
export interface DownloadFigures {
  readonly fetchedChunks: number
  readonly fetchedBytes: number
  /** Chunks that came with a wrong length or digest. */
  readonly wrongChunks: number
  /** Chunks that were asked for again. */
  readonly repeatedRequests: number
}

interface Request {
  readonly index: number
  subscription: Subscription
  askedAtMs: number
  attempts: number
  isWriting: boolean
}

const watchPeriodMs = 100

/**
 * Fetches what `sink` misses of `blob`. Resolves when nothing is missing.
 * Throws `network.chunk_missing` when a chunk does not come although the broker is reachable, `network.request_timeout`
 * when the signal aborts, and what the sink throws.
 */
export async function downloadBlob(
  connection: MqttConnection,
  topics: Topics,
  blob: Blob,
  sink: ChunkSink,
  options: DownloadOptions = {},
): Promise<DownloadFigures> {
  const download = new BlobDownload(connection, topics, blob, sink, options)
  return download.run(options.signal ?? new AbortController().signal)
}

class BlobDownload {
  readonly #connection: MqttConnection
  readonly #topics: Topics
  readonly #blob: Blob
  readonly #sink: ChunkSink
  readonly #options: DownloadOptions
  readonly #clock: Clock
  readonly #waiting: number[]
  readonly #open = new Map<number, Request>()
  readonly #figures = { fetchedChunks: 0, fetchedBytes: 0, wrongChunks: 0, repeatedRequests: 0 }
  #storedBytes: number
  #startedAtMs = 0
  #finish: (error?: unknown) => void = () => undefined
  #isOver = false

  constructor(
    connection: MqttConnection,
    topics: Topics,
    blob: Blob,
    sink: ChunkSink,
    options: DownloadOptions,
  ) {
    this.#connection = connection
    this.#topics = topics
    this.#blob = blob
    this.#sink = sink
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#waiting = [...sink.missingChunks()].reverse()
    const missingBytes = this.#waiting.reduce((sum, index) => sum + this.#sizeOf(index), 0)
    this.#storedBytes = blob.sizeBytes - missingBytes
  }

  async run(signal: AbortSignal): Promise<DownloadFigures> {
    this.#startedAtMs = this.#clock.monotonicMs()
    const over = new Promise<void>((resolve, reject) => {
      this.#finish = (error?: unknown) => {
        this.#isOver = true
        if (error === undefined) resolve()
        else
          reject(wrapError(error, 'internal.invariant_broken', `cannot download blob ${this.#blob.sha256}`))
      }
    })
    const onAbort = (): void => {
      this.#finish(
        new AgentError('network.request_timeout', `the download of blob ${this.#blob.sha256} was given up`),
      )
    }
    signal.addEventListener('abort', onAbort, { once: true })
    const unwatch = this.#clock.every(watchPeriodMs, () => {
      this.#guarded(() => {
        this.#askAgain()
      })
    })
    try {
      if (signal.aborted) onAbort()
      else this.#fillWindow()
      await over
    } finally {
      unwatch()
      signal.removeEventListener('abort', onAbort)
      await Promise.all([...this.#open.values()].map((request) => request.subscription.close()))
    }
    return { ...this.#figures }
  }

  #sizeOf(index: number): number {
    const { start, end } = chunkRange(this.#blob, index)
    return end - start
  }

  /** Asks for further chunks while there is room in the window and the pace allows it. */
  #fillWindow(): void {
    const windowChunks = this.#options.windowChunks ?? 32
    while (!this.#isOver && this.#open.size < windowChunks && this.#isWithinPace()) {
      const index = this.#waiting.pop()
      if (index === undefined) break
      this.#open.set(index, {
        index,
        subscription: this.#ask(index),
        askedAtMs: this.#clock.monotonicMs(),
        attempts: 1,
        isWriting: false,
      })
    }
    if (!this.#isOver && this.#open.size === 0 && this.#waiting.length === 0) this.#finish()
  }

  #isWithinPace(): boolean {
    const limit = this.#options.bytesPerSecondMax
    if (limit === undefined) return true
    const elapsedS = (this.#clock.monotonicMs() - this.#startedAtMs) / 1000
    let askedBytes = this.#figures.fetchedBytes
    for (const index of this.#open.keys()) askedBytes += this.#sizeOf(index)
    return askedBytes <= limit * elapsedS
  }

  #ask(index: number): Subscription {
    const topic = this.#topics.chunk(this.#blob.sha256, index)
    return this.#connection.subscribe([topic], 1, (message) => {
      this.#receive(index, message)
    })
  }

  #receive(index: number, message: IncomingMessage): void {
    const request = this.#open.get(index)
    if (request === undefined || request.isWriting || this.#isOver) return
    // The payload is lent for this call, and the sink writes later.
    const bytes = Uint8Array.from(message.payload)
    request.isWriting = true
    this.#sink.writeChunk(index, bytes).then(
      (outcome) => {
        this.#guarded(() => {
          this.#settle(request, bytes.byteLength, outcome)
        })
      },
      (error: unknown) => {
        this.#finish(error)
      },
    )
  }

  #settle(request: Request, sizeBytes: number, outcome: 'stored' | 'mismatch'): void {
    request.isWriting = false
    if (outcome === 'mismatch') {
      // Asked for again when the watch comes round: a broker that holds a wrong chunk is not asked in a tight loop.
      this.#figures.wrongChunks++
      return
    }
    this.#open.delete(request.index)
    void request.subscription.close()
    this.#figures.fetchedChunks++
    this.#figures.fetchedBytes += sizeBytes
    this.#storedBytes += sizeBytes
    this.#options.onProgress?.(this.#storedBytes, this.#blob.sizeBytes)
    this.#fillWindow()
  }

  /** Repeats requests that nobody answered. While offline nothing times out: the connection subscribes again by itself. */
  #askAgain(): void {
    const nowMs = this.#clock.monotonicMs()
    const timeoutMs = this.#options.chunkTimeoutMs ?? 10_000
    for (const request of this.#open.values()) {
      if (!this.#connection.isOnline) request.askedAtMs = nowMs
      else if (!request.isWriting && nowMs - request.askedAtMs >= timeoutMs) this.#repeat(request, nowMs)
    }
    this.#fillWindow()
  }

  #repeat(request: Request, nowMs: number): void {
    if (request.attempts >= (this.#options.attemptsMax ?? 5)) {
      const topic = this.#topics.chunk(this.#blob.sha256, request.index)
      const problem = `the broker has no right chunk at ${topic}: asked ${request.attempts} times`
      throw new AgentError('network.chunk_missing', problem)
    }
    request.attempts++
    request.askedAtMs = nowMs
    this.#figures.repeatedRequests++
    void request.subscription.close().then(() => {
      if (!this.#isOver) request.subscription = this.#ask(request.index)
    })
  }

  #guarded(action: () => void): void {
    if (this.#isOver) return
    try {
      action()
    } catch (error) {
      this.#finish(error)
    }
  }
}

/** Throws unless a message was taken; names what was published and where. */
export function requireSent(outcome: PublishOutcome, topic: string): void {
  switch (outcome.status) {
    case 'sent':
      return
    case 'offline':
      throw new AgentError(
        'network.broker_unreachable',
        `cannot publish ${topic}: the broker is not reachable`,
      )
    case 'dropped':
      throw new AgentError(
        'network.broker_refused',
        `cannot publish ${topic}: ${outcome.reason.replace('_', ' ')}`,
      )
    case 'refused':
      throw new AgentError(
        'network.broker_refused',
        `cannot publish ${topic}: the broker refused it with code ${outcome.reasonCode}`,
      )
  }
}
