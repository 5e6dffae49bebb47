/**
 * Figures of frames as they are served: what the soak of a new model is judged by.
 * Invariant: windows do not overlap with each other; counting costs nothing while no window is open.
 */

import type { Clock } from '../../base/clock.js'
import { AgentError } from '../../base/errors.js'
import { Histogram } from '../../base/histogram.js'
import type { ResultSink } from '../../pipeline/ports.js'
import type { ReferenceFigures, SoakWatch, SoakWindow } from '../../update/ports.js'

/** Compares what serves with the model before it, on the same frames. */
interface Comparison {
  begin(): Promise<void>
  /** The agreement since begin, 0..1; undefined when too little was seen. */
  end(): Promise<number | undefined>
  /** Frees what the windows needed. */
  close(): Promise<void>
}

/** Tells how loaded the machine was. */
interface Load {
  begin(): Promise<void>
  /** The figures since begin; undefined when there are none. */
  end(): Promise<ReferenceFigures | undefined>
  close(): Promise<void>
}

export interface ServingWatchMeans {
  readonly comparison?: Comparison
  readonly load?: Load
  /** Time on a processor that the serving model took so far, milliseconds. */
  readonly cpuMs?: () => Promise<number | undefined>
}

interface OpenWindow {
  readonly latency: Histogram
  frames: number
}

export class ServingWatch implements SoakWatch {
  readonly #clock: Clock
  /** Frames on which detection failed, since the start. */
  readonly #failedFrames: () => number
  readonly #windows = new Set<OpenWindow>()

  readonly #comparison: Comparison | undefined
  readonly #load: Load | undefined
  readonly #cpuMs: () => Promise<number | undefined>

  constructor(
    clock: Clock,
    failedFrames: () => number,
    { comparison, load, cpuMs = () => Promise.resolve(undefined) }: ServingWatchMeans = {},
  ) {
    this.#cpuMs = cpuMs
    this.#load = load
    this.#clock = clock
    this.#failedFrames = failedFrames
    this.#comparison = comparison
  }

  /** The sink by which every camera tells of its frames. */
  readonly sink: ResultSink = {
    name: 'watch',
    accept: ({ timings }) => {
      for (const window of this.#windows) {
        window.frames++
        window.latency.record(timings.preprocessMs + timings.inferenceMs + timings.decodeMs)
      }
      return Promise.resolve()
    },
  }

  async end(): Promise<void> {
    await Promise.all([this.#comparison?.close(), this.#load?.close()])
  }

  /** Throws `network.request_timeout` when `signal` aborts before the window is over. */
  async observe(windowMs: number, signal: AbortSignal): Promise<SoakWindow> {
    await Promise.all([this.#comparison?.begin(), this.#load?.begin()])
    let reference: ReferenceFigures | undefined
    let agreement: number | undefined
    const window: OpenWindow = { latency: new Histogram(), frames: 0 }
    const failedBefore = this.#failedFrames()
    const beforeMs = await this.#cpuMs()
    this.#windows.add(window)
    try {
      await this.#clock.sleep(windowMs, signal)
    } finally {
      this.#windows.delete(window)
      reference = await this.#load?.end()
      agreement = await this.#comparison?.end()
    }
    if (signal.aborted)
      throw new AgentError('network.request_timeout', 'the watch over a new model was ended')
    const { p95Ms } = window.latency.summary()
    const afterMs = await this.#cpuMs()
    const isCounted = beforeMs !== undefined && afterMs !== undefined && window.frames > 0
    return {
      frames: window.frames,
      errors: this.#failedFrames() - failedBefore,
      latencyP95Ms: p95Ms,
      ...(isCounted && { cpuMs: (afterMs - beforeMs) / window.frames }),
      ...(reference !== undefined && { reference }),
      ...(agreement !== undefined && { agreement }),
    }
  }
}
