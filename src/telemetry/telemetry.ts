/**
 * Metrics every few seconds, and a report of the serving model every period.
 * Invariant: measuring costs no frame: figures are read from counters, off the frame's way; a sample that cannot be taken is
 * left out and the next one is taken all the same.
 */

import { currentLoad, mem } from 'systeminformation'
import { messageOf } from '../base/errors.js'
import type { Service } from '../base/lifecycle.js'
import type { LatencySummary } from '../base/histogram.js'
import type { AccuracyFigures } from '../protocol/measurement.js'
import type { CameraMetrics, Metrics } from '../protocol/metrics.js'
import { watchLoopDelay } from './loop-delay.js'
import type { CameraWindow, ServedFrame, TelemetryPorts } from './ports.js'
import { ServingFigures } from './serving-figures.js'

export interface TelemetryOptions {
  readonly metricsPeriodMs: number
  readonly reportPeriodMs: number
}

export class Telemetry implements Service {
  readonly name = 'telemetry'
  readonly #ports: TelemetryPorts
  readonly #options: TelemetryOptions
  readonly #figures = new ServingFigures()
  readonly #startMs: number
  #sequence = 0
  #windowStartMs: number
  #periodStartMs: number
  #failedBefore = 0
  #reports = 0
  #sampling: Promise<void> | undefined
  #reporting: Promise<void> | undefined
  readonly #stopped = new AbortController()
  #loopDelay: ReturnType<typeof watchLoopDelay> | undefined
  #ends: (() => void)[] = []

  constructor(ports: TelemetryPorts, options: TelemetryOptions) {
    this.#ports = ports
    this.#options = options
    this.#startMs = ports.clock.monotonicMs()
    this.#windowStartMs = this.#startMs
    this.#periodStartMs = this.#startMs
  }

  /** The sink by which every camera tells of its frames. */
  readonly sink = {
    name: 'telemetry',
    accept: (frame: ServedFrame): Promise<void> => {
      this.#figures.add(frame)
      return Promise.resolve()
    },
  }

  start(): Promise<void> {
    const { clock } = this.#ports
    const loopDelay = watchLoopDelay()
    this.#loopDelay = loopDelay
    this.#ends = [
      () => {
        loopDelay.stop()
      },
      clock.every(this.#options.metricsPeriodMs, () => {
        this.#sampling ??= this.#sample().finally(() => {
          this.#sampling = undefined
        })
      }),
      clock.every(this.#options.reportPeriodMs, () => {
        this.#reporting ??= this.#report().finally(() => {
          this.#reporting = undefined
        })
      }),
    ]
    return Promise.resolve()
  }

  /** Takes no more samples; the one under way is finished. */
  async stop(): Promise<void> {
    for (const end of this.#ends) end()
    this.#stopped.abort()
    await Promise.all([this.#sampling, this.#reporting])
  }

  async #sample(): Promise<void> {
    const { clock, logger } = this.#ports
    try {
      const nowMs = clock.monotonicMs()
      const windowMs = nowMs - this.#windowStartMs
      this.#windowStartMs = nowMs
      this.#ports.publish(await this.#metrics(windowMs))
    } catch (thrown) {
      logger.warn({ reason: messageOf(thrown) }, 'metrics could not be taken')
    }
  }

  async #metrics(windowMs: number): Promise<Metrics> {
    const ports = this.#ports
    const cameras = ports.takeCameras().map(cameraMetrics)
    const [load, memory, machine, diskFreeBytes] = await Promise.all([
      currentLoad(),
      mem(),
      ports.machine(),
      ports.diskFreeBytes(),
    ])
    const { temperatureC, throttled } = machine
    const { depth, dropped } = ports.outbox()
    const eventLoopDelay = this.#loopDelay?.take()
    return {
      at: new Date(ports.clock.wallMs()).toISOString(),
      sequence: ++this.#sequence,
      windowMs,
      uptimeMs: ports.clock.monotonicMs() - this.#startMs,
      cpuPercent: Math.min(100, Math.max(0, load.currentLoad)),
      agentMemoryBytes: process.memoryUsage.rss(),
      memoryUsedBytes: memory.total - memory.available,
      memoryTotalBytes: memory.total,
      ...(diskFreeBytes !== undefined && { diskFreeBytes }),
      ...(temperatureC !== undefined && { temperatureC }),
      ...(throttled !== undefined && { throttled }),
      ...(eventLoopDelay !== undefined && { eventLoopDelay }),
      outboxDepth: depth,
      outboxDropped: dropped,
      ...ports.connection(),
      cameras,
    }
  }

  async #report(): Promise<void> {
    const ports = this.#ports
    const { clock } = ports
    const identity = ports.serving()
    const nowMs = clock.monotonicMs()
    const periodMs = nowMs - this.#periodStartMs
    const failed = ports.failedFrames()
    const { frames, latency, drift } = this.#figures.take()
    const errors = failed - this.#failedBefore
    this.#periodStartMs = nowMs
    this.#failedBefore = failed
    if (identity === undefined) return
    const accuracy = await this.#accuracy()
    ports.report({
      at: new Date(clock.wallMs()).toISOString(),
      id: `period-${Math.round(clock.wallMs() - nowMs)}-${++this.#reports}`,
      kind: 'period',
      ...identity,
      periodMs,
      frames,
      errors,
      ...(latency.count > 0 && { latency }),
      ...(accuracy !== undefined && { accuracy }),
      ...(drift !== undefined && { drift }),
      memoryBytes: process.memoryUsage.rss(),
    })
  }

  /** A report without accuracy is better than none. */
  async #accuracy(): Promise<AccuracyFigures | undefined> {
    try {
      return await this.#ports.accuracy(this.#stopped.signal)
    } catch (thrown) {
      this.#ports.logger.warn(
        { reason: messageOf(thrown) },
        'accuracy on the golden set could not be measured',
      )
      return undefined
    }
  }
}

function cameraMetrics({ camera, latency, ...window }: CameraWindow): CameraMetrics {
  const { captured, processed, dropped, restarts, errors, capturedFps, processedFps } = window
  const measured = (summary: LatencySummary): LatencySummary | undefined =>
    summary.count > 0 ? summary : undefined
  const inference = measured(latency.inference)
  const endToEnd = measured(latency.total)
  return {
    name: camera,
    captured,
    processed,
    dropped,
    restarts,
    errors,
    capturedFps,
    processedFps,
    ...(inference !== undefined && { inference }),
    ...(endToEnd !== undefined && { endToEnd }),
  }
}
