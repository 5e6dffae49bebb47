/**
 * The reference load beside a model that serves: some runs in each window of a soak.
 * Invariant: it takes a fiftieth of one processor at the most; without it a model is judged all the same, so nothing here rejects.
 */

import type { Clock } from '../../base/clock.js'
import { messageOf } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import type { ReferenceRun } from '../../runtime/messages.js'
import { ReferenceLoad } from '../../runtime/reference-load.js'
import type { ReferenceFigures } from '../../update/ports.js'
import { referenceFigures } from '../trial/reference-figures.js'

export interface LoadWatchOptions {
  /** Scheduling priority of the thread, 0 to 19 (last): the model's. */
  readonly niceness: number
  readonly clock: Clock
  readonly logger: Logger
}

/** Between the ends and the beginnings of two runs, at the least. */
const pauseMs = 200
/** A run is followed by this many times its own time without one. */
const pauseFactor = 49

export class LoadWatch {
  readonly #options: LoadWatchOptions
  #reference: ReferenceLoad | undefined
  #window: { readonly abort: AbortController; readonly runs: Promise<readonly ReferenceRun[]> } | undefined

  constructor(options: LoadWatchOptions) {
    this.#options = options
  }

  /** Begins a window; starts the thread for the first of them. */
  async begin(): Promise<void> {
    try {
      this.#reference ??= await ReferenceLoad.open(this.#options.niceness)
    } catch (thrown) {
      this.#warn(thrown)
      return
    }
    const abort = new AbortController()
    this.#window = { abort, runs: this.#runUntil(abort.signal, this.#reference) }
  }

  /** The figures since begin; undefined when there are none. */
  async end(): Promise<ReferenceFigures | undefined> {
    const window = this.#window
    this.#window = undefined
    window?.abort.abort()
    return referenceFigures((await window?.runs) ?? [])
  }

  /** Ends the thread, after the last window. */
  async close(): Promise<void> {
    await this.end()
    const reference = this.#reference
    this.#reference = undefined
    await reference?.close()
  }

  async #runUntil(signal: AbortSignal, reference: ReferenceLoad): Promise<readonly ReferenceRun[]> {
    const runs: ReferenceRun[] = []
    try {
      while (!signal.aborted) {
        const run = await reference.run()
        runs.push(run)
        await this.#options.clock.sleep(Math.max(pauseMs, run.wallMs * pauseFactor), signal)
      }
    } catch (thrown) {
      this.#warn(thrown)
    }
    return runs
  }

  #warn(thrown: unknown): void {
    this.#options.logger.warn({ reason: messageOf(thrown) }, 'the load of the machine is not measured')
  }
}
