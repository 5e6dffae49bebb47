/**
 * Fetches the chunks of a blob that are still missing: explicit chunk topics, subscribed in a sliding window.
 *
 *     missing  [12][13][14][15][16][17] ...
 *                \___ window ___/   a chunk that is stored leaves the window, the next missing one enters
 *
 * Chunks come with QoS 0: the line keeps their order, and what is lost in spite of it is asked for again. Acknowledging each
 * would take a packet a chunk, and with QoS 1 a lost one keeps its place in the broker's window until the connection ends.
 * A chunk counts as lost when the broker has answered a later request and not this one, or when nothing of any chunk comes:
 * not when the line is slow, so that a slow link carries no chunk twice. Bytes of the blob's own chunks are progress, also
 * those of a chunk that is half here; whatever else arrives is none.
 * Invariant: a chunk counts only when the sink has stored it; a wrong or lost one is asked for again; nothing that the
 * sink already has is asked for.
 */

import type { Clock } from '../base/clock.js'
import { systemClock } from '../base/clock.js'
import { AgentError, wrapError } from '../base/errors.js'
import type { Blob } from '../protocol/blob.js'
import { chunkRange } from '../protocol/blob.js'
import type { Topics } from '../protocol/topics.js'
import type { IncomingMessage } from './mqtt-session.js'
import type { MqttConnection, Subscription } from './mqtt-connection.js'

/** Where chunks go. `writeChunk` checks length and digest, and says whether it kept the chunk. */
export interface ChunkSink {
  missingChunks(): readonly number[]
  writeChunk(index: number, bytes: Uint8Array): Promise<'stored' | 'mismatch'>
}

export interface DownloadOptions {
  /** Chunks asked for at once; 32 unless given. */
  readonly windowChunks?: number
  /**
   * How long no byte of a chunk may come, or others come although they were asked for later, before a chunk is asked for
   * again, milliseconds; 10,000 unless given.
   */
  readonly chunkTimeoutMs?: number
  /** How often one chunk is asked for while the broker is reachable; 12 unless given. */
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
  /** Place among all requests. */
  serial: number
  askedAtMs: number
  /** Since when the right answer is overdue: a later request was answered, or this one wrongly. */
  missedAtMs: number | undefined
  /** How long earlier requests for it were overdue while the broker was reachable, together. */
  overdueMs: number
  attempts: number
  isWriting: boolean
}

const watchPeriodMs = 100
/** The window is filled up when so many places are free: several topics then share a packet. */
const refillChunks = 8
/** With 30 % of all messages lost on the way, one download in 10,000 of 200 chunks would need more. */
const attemptsMax = 12
/** A chunk that has been overdue for so long, and was asked for more than once, is not there: told within three minutes. */
const overdueLimitMs = 150_000
/** The last attempt is made so long before. */
const lastAttemptMs = 20_000

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
  /** How many of them have come and are being stored. */
  #writing = 0
  readonly #figures = { fetchedChunks: 0, fetchedBytes: 0, wrongChunks: 0, repeatedRequests: 0 }
  #storedBytes: number
  #serial = 0
  /** Of chunks that are stored; closed together. */
  #answered: Subscription[] = []
  /** Topics of the chunks that are asked for. */
  readonly #openTopics = new Set<string>()
  /** When the last byte of a chunk came. */
  #receivedAtMs = 0
  /** Bytes that the pace allows to be asked for now; below 0 after a chunk that was larger. */
  #allowedBytes = 0
  #allowedAtMs = 0
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
    this.#allowedAtMs = this.#clock.monotonicMs()
    this.#receivedAtMs = this.#allowedAtMs
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
    const unmeter = this.#connection.onArrival((topic) => {
      if (this.#openTopics.has(topic)) this.#receivedAtMs = this.#clock.monotonicMs()
    })
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
      unmeter()
      signal.removeEventListener('abort', onAbort)
      this.#closeAnswered()
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
    this.#closeAnswered()
    while (!this.#isOver && this.#hasRoom() && this.#isWithinPace()) {
      const index = this.#waiting.pop()
      if (index === undefined) break
      this.#allowedBytes -= this.#sizeOf(index)
      this.#open.set(index, {
        index,
        subscription: this.#ask(index),
        serial: this.#serial++,
        askedAtMs: this.#clock.monotonicMs(),
        missedAtMs: undefined,
        overdueMs: 0,
        attempts: 1,
        isWriting: false,
      })
    }
    if (!this.#isOver && this.#open.size === 0 && this.#waiting.length === 0) this.#finish()
  }

  get #windowChunks(): number {
    return this.#options.windowChunks ?? 32
  }

  /** Chunks that were asked for and have not come. */
  get #awaited(): number {
    return this.#open.size - this.#writing
  }

  /** The sink may be as far behind as the window is wide: the broker is not kept waiting for a disk, and memory is bounded. */
  #hasRoom(): boolean {
    return this.#awaited < this.#windowChunks && this.#open.size < 2 * this.#windowChunks
  }

  /** Fills the window up when enough places are free for several topics to share a packet. */
  #refill(): void {
    const free = this.#windowChunks - this.#awaited
    const isDue = free >= Math.min(refillChunks, Math.ceil(this.#windowChunks / 4))
    if (isDue || this.#open.size === 0) this.#fillWindow()
  }

  #closeAnswered(): void {
    for (const subscription of this.#answered) void subscription.close()
    this.#answered = []
  }

  /** What was not used in a pause is not made up for later: the limit holds over every stretch of time. */
  #isWithinPace(): boolean {
    const limit = this.#options.bytesPerSecondMax
    if (limit === undefined) return true
    const nowMs = this.#clock.monotonicMs()
    const earnedBytes = (limit * (nowMs - this.#allowedAtMs)) / 1000
    const savedBytesMax = (limit * 2 * watchPeriodMs) / 1000
    this.#allowedBytes = Math.min(this.#allowedBytes + earnedBytes, savedBytesMax)
    this.#allowedAtMs = nowMs
    return this.#allowedBytes >= 0
  }

  #topicOf(index: number): string {
    return this.#topics.chunk(this.#blob.sha256, index)
  }

  #ask(index: number): Subscription {
    const topic = this.#topicOf(index)
    this.#openTopics.add(topic)
    return this.#connection.subscribe([topic], 0, (message) => {
      this.#receive(index, message)
    })
  }

  #receive(index: number, message: IncomingMessage): void {
    const request = this.#open.get(index)
    if (request === undefined || request.isWriting || this.#isOver) return
    if (message.payload.byteLength === 0) {
      // An empty message under a retained topic takes it away [MQTT-3.3.1-6].
      const problem = `chunk ${index} of blob ${this.#blob.sha256} was taken off the broker: its version was retired`
      this.#finish(new AgentError('network.chunk_missing', problem))
      return
    }
    this.#noteOvertaken(request)
    const bytes = message.payload
    request.isWriting = true
    this.#writing++
    this.#refill()
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

  /** What was asked for before `answered` and has not come yet has probably been lost. */
  #noteOvertaken(answered: Request): void {
    const nowMs = this.#clock.monotonicMs()
    for (const request of this.#open.values())
      if (request.serial < answered.serial && !request.isWriting) request.missedAtMs ??= nowMs
  }

  #settle(request: Request, sizeBytes: number, outcome: 'stored' | 'mismatch'): void {
    request.isWriting = false
    this.#writing--
    if (outcome === 'mismatch') {
      // Asked for again when the watch comes round: a broker that holds a wrong chunk is not asked in a tight loop.
      this.#figures.wrongChunks++
      request.missedAtMs ??= this.#clock.monotonicMs()
      return
    }
    this.#open.delete(request.index)
    this.#openTopics.delete(this.#topicOf(request.index))
    this.#answered.push(request.subscription)
    this.#figures.fetchedChunks++
    this.#figures.fetchedBytes += sizeBytes
    this.#storedBytes += sizeBytes
    this.#options.onProgress?.(this.#storedBytes, this.#blob.sizeBytes)
    this.#refill()
  }

  /** Repeats requests that were lost. While offline nothing is: the connection subscribes again by itself. */
  #askAgain(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const request of this.#open.values()) {
      if (!this.#connection.isOnline) {
        request.askedAtMs = nowMs
        request.missedAtMs = undefined
        request.overdueMs = 0
      } else if (!request.isWriting) this.#judge(request, nowMs)
    }
    this.#fillWindow()
  }

  /** Asks for a chunk again when it is overdue, or ends the download when it has been for too long. */
  #judge(request: Request, nowMs: number): void {
    const waitsSinceMs = request.missedAtMs ?? Math.max(request.askedAtMs, this.#receivedAtMs)
    const waitedMs = nowMs - waitsSinceMs
    const overdueMs = request.overdueMs + waitedMs
    const isLate = waitedMs >= (this.#options.chunkTimeoutMs ?? 10_000)
    const isLastChance = request.attempts === 1 && overdueMs >= overdueLimitMs - lastAttemptMs
    if (request.attempts > 1 && overdueMs >= overdueLimitMs) throw this.#missing(request)
    if (!isLate && !isLastChance) return
    request.overdueMs = overdueMs
    this.#repeat(request, nowMs)
  }

  #missing({ index, attempts }: Request): AgentError {
    const problem = `the broker has no right chunk at ${this.#topicOf(index)}: asked ${attempts} times`
    return new AgentError('network.chunk_missing', problem, {
      hint: 'yolo-edge publish of the same version puts back what is missing or wrong',
    })
  }

  #repeat(request: Request, nowMs: number): void {
    if (request.attempts >= (this.#options.attemptsMax ?? attemptsMax)) throw this.#missing(request)
    request.attempts++
    request.serial = this.#serial++
    request.askedAtMs = nowMs
    request.missedAtMs = undefined
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
