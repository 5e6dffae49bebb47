/**
 * A source kept alive: run, watched for silence, opened again after a fault.
 *
 *      run source --ends--> ended           --fails, may come back--> wait (backoff) --> run source
 *           |  \--fails for good--> ended with its error
 *           \--no frame for stallTimeoutMs--> stopped, counts as a fault
 *
 * Invariant: after stop() nothing that the source started is left; the ring is ended exactly once.
 */

import type { BackoffOptions } from '../base/backoff.js'
import { backoffDelayMs } from '../base/backoff.js'
import type { Clock } from '../base/clock.js'
import { AgentError, isAgentError, messageOf } from '../base/errors.js'
import type { Logger } from '../base/logger.js'
import type { Random } from '../base/random.js'
import type { FrameLease } from './frame-lease.js'
import type { FrameRing } from './frame-ring.js'
import type { FrameSource, FrameSupply, SupplyStats } from './frame-source.js'

export interface SupplyOptions {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Silence after which a running source counts as stalled, milliseconds. */
  readonly stallTimeoutMs: number
  /** The same before its first frame: opening a camera takes its time. */
  readonly startTimeoutMs: number
  readonly backoff: BackoffOptions
  /** Faults in a row, without a frame in between, after which the source has failed for good. */
  readonly faultsMax: number
}

const watchPeriodsPerTimeout = 8

export class SourceSupply implements FrameSupply {
  readonly label: string
  readonly #source: FrameSource
  readonly #ring: FrameRing
  readonly #options: SupplyOptions
  readonly #stopped = new AbortController()
  readonly #finished: Promise<void>
  #restarts = 0
  #unreadable = 0
  #pictureSize: string | undefined

  /** Starts at once. Takes `ring`. */
  constructor(source: FrameSource, ring: FrameRing, options: SupplyOptions) {
    this.label = source.label
    this.#source = source
    this.#ring = ring
    this.#options = options
    this.#finished = this.#keepRunning()
  }

  next(signal: AbortSignal): Promise<FrameLease | undefined> {
    return this.#ring.next(signal)
  }

  stats(): SupplyStats {
    return {
      captured: this.#ring.captured,
      dropped: this.#ring.dropped,
      restarts: this.#restarts,
      unreadable: this.#unreadable,
    }
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    this.#ring.close()
    await this.#finished
  }

  async #keepRunning(): Promise<void> {
    const { clock, random, logger, backoff, faultsMax } = this.#options
    let faults = 0
    while (!this.#isStopped()) {
      const capturedBefore = this.#ring.captured
      const fault = await this.#runOnce()
      if (this.#isStopped()) return
      if (fault === undefined) {
        this.#ring.end()
        return
      }
      faults = this.#ring.captured > capturedBefore ? 1 : faults + 1
      if (!this.#source.isEndless || fault.retry === 'never' || faults >= faultsMax) {
        logger.error({ source: this.label, code: fault.code, err: fault }, 'camera failed')
        this.#ring.end(fault)
        return
      }
      const delayMs = backoffDelayMs(faults - 1, backoff, random)
      logger.warn(
        { source: this.label, code: fault.code, reason: fault.message, retry_in_ms: Math.round(delayMs) },
        'camera is opened again',
      )
      await clock.sleep(delayMs, this.#stopped.signal)
      this.#restarts++
    }
  }

  #isStopped(): boolean {
    return this.#stopped.signal.aborted
  }

  /** One run under watch. Undefined when the source ended as it should. */
  async #runOnce(): Promise<AgentError | undefined> {
    const run = new AbortController()
    const signal = AbortSignal.any([run.signal, this.#stopped.signal])
    let stall: AgentError | undefined
    const unwatch = this.#watch((silentMs) => {
      const message = `${this.label} gave no frame for ${Math.round(silentMs / 1000)} s`
      stall = new AgentError('camera.stream_stalled', message)
      run.abort()
    })
    try {
      await this.#source.run(this.#ring, signal, {
        unreadable: (error) => {
          this.#unreadable++
          this.#options.logger.warn({ source: this.label, reason: messageOf(error) }, 'picture left out')
        },
        pictureSize: (width, height) => {
          this.#tellSize(width, height)
        },
      })
    } catch (thrown) {
      if (isAgentError(thrown)) return stall ?? thrown
      return new AgentError('camera.stream_broken', `${this.label} broke off: ${messageOf(thrown)}`, {
        cause: thrown,
      })
    } finally {
      unwatch()
    }
    if (stall !== undefined || !this.#source.isEndless) return stall
    return new AgentError('camera.stream_broken', `${this.label} ended, which a stream should not`)
  }

  /** Pictures of another size are read as well; somebody may have set the camera so, or not have noticed. */
  #tellSize(width: number, height: number): void {
    const before = this.#pictureSize
    this.#pictureSize = `${width}x${height}`
    if (before === undefined)
      this.#options.logger.info({ source: this.label, size: this.#pictureSize }, 'camera gives pictures')
    else if (before !== this.#pictureSize)
      this.#options.logger.warn(
        { source: this.label, size: this.#pictureSize, size_before: before },
        'camera has changed the size of its pictures',
      )
  }

  /** Calls `onSilence` when no frame comes although the consumer leaves room for one. */
  #watch(onSilence: (silentMs: number) => void): () => void {
    const { clock, stallTimeoutMs, startTimeoutMs } = this.#options
    let seen = this.#ring.captured + this.#unreadable
    let lastSignOfLifeMs = clock.monotonicMs()
    let limitMs = startTimeoutMs
    return clock.every(stallTimeoutMs / watchPeriodsPerTimeout, () => {
      const now = clock.monotonicMs()
      const count = this.#ring.captured + this.#unreadable
      if (count !== seen) limitMs = stallTimeoutMs
      if (count !== seen || this.#ring.isSourceWaiting) lastSignOfLifeMs = now
      seen = count
      if (now - lastSignOfLifeMs > limitMs) onSilence(now - lastSignOfLifeMs)
    })
  }
}
