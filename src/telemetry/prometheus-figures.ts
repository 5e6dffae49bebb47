/**
 * The figures of this device in the form that Prometheus reads, with base units as OpenMetrics asks for (seconds, bytes, shares).
 * Latencies are counted frame by frame; everything else is that of the last metrics message.
 * Invariant: counters only grow while the agent runs; a camera or a model that goes away keeps what was counted of it.
 */

import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { CameraMetrics, Metrics } from '../protocol/metrics.js'
import type { ServingIdentity } from './ports.js'

/** What is counted of a frame. */
export interface TimedFrame {
  readonly camera: string
  readonly identity: { readonly model: string; readonly version: string; readonly variant: string }
  readonly timings: { readonly inferenceMs: number; readonly totalMs: number }
}

/** Upper bounds in seconds: from an accelerator's millisecond to a picture that waited long. */
const latencyBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
/** Seconds: from a thing that passes to one that stays for hours. */
const dwellBuckets = [0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200]
const modelLabels = ['camera', 'model', 'version', 'variant'] as const

/** Where the latencies of one camera with one model are counted. */
interface Lane {
  readonly identity: TimedFrame['identity']
  readonly inference: Histogram.Internal<string>
  readonly endToEnd: Histogram.Internal<string>
}

type Totals = Pick<CameraMetrics, 'captured' | 'processed' | 'dropped' | 'errors' | 'restarts'>

const cameraCounters: Readonly<Record<keyof Totals, readonly [name: string, help: string]>> = {
  captured: ['yolo_edge_frames_captured_total', 'Frames that a camera gave.'],
  processed: ['yolo_edge_frames_processed_total', 'Frames on which the model has run.'],
  dropped: ['yolo_edge_frames_dropped_total', 'Frames that gave way to newer ones.'],
  errors: ['yolo_edge_frames_failed_total', 'Frames on which detection failed.'],
  restarts: ['yolo_edge_camera_restarts_total', 'Times that a camera was opened again.'],
}

export class PrometheusFigures {
  readonly #registry = new Registry()
  readonly #inference = this.#histogram('yolo_edge_inference_seconds', 'Time of one inference.')
  readonly #endToEnd = this.#histogram(
    'yolo_edge_capture_to_detections_seconds',
    'From the capture of a frame to its detections.',
  )
  readonly #cameraCounters = Object.entries(cameraCounters).map(([key, [name, help]]) => ({
    key: key as keyof Totals,
    counter: new Counter({ name, help, labelNames: ['camera'], registers: [this.#registry] }),
  }))
  readonly #model = new Gauge({
    name: 'yolo_edge_model_info',
    help: 'The model that serves; always 1.',
    labelNames: ['model', 'version', 'variant', 'provider'],
    registers: [this.#registry],
  })
  readonly #gauges = new Map<string, Gauge>()
  readonly #counters = new Map<string, Counter>()
  /** Totals as they were counted last, by name and camera. */
  readonly #before = new Map<string, number>()
  /** Of each camera, where the latencies of its present model are counted. */
  readonly #lanes = new Map<string, Lane>()

  readonly #zoneEntries = this.#counter('yolo_edge_zone_entries_total', 'Objects that have entered a zone.', [
    'camera',
    'zone',
    'class',
  ])
  readonly #crossings = this.#counter('yolo_edge_line_crossings_total', 'Objects that have crossed a line.', [
    'camera',
    'line',
    'class',
    'direction',
  ])
  readonly #dwell = new Histogram({
    name: 'yolo_edge_zone_dwell_seconds',
    help: 'How long objects that have left a zone were inside.',
    labelNames: ['camera', 'zone', 'class'],
    buckets: dwellBuckets,
    registers: [this.#registry],
  })
  readonly #zoneObjects = new Gauge({
    name: 'yolo_edge_zone_objects',
    help: 'Objects that are in a zone now.',
    labelNames: ['camera', 'zone', 'class'],
    registers: [this.#registry],
  })

  /** By which the cameras tell what happens in their zones. */
  readonly scenes = {
    entered: (camera: string, zone: string, className: string): void => {
      this.#zoneEntries.inc({ camera, zone, class: className })
    },
    left: (camera: string, zone: string, className: string, dwellMs: number): void => {
      this.#dwell.observe({ camera, zone, class: className }, dwellMs / 1000)
    },
    crossed: (camera: string, line: string, className: string, isForward: boolean): void => {
      this.#crossings.inc({ camera, line, class: className, direction: isForward ? 'forward' : 'backward' })
    },
    objects: (camera: string, zone: string, className: string, count: number): void => {
      this.#zoneObjects.set({ camera, zone, class: className }, count)
    },
  }

  /** The sink by which every camera tells of its frames. */
  readonly sink = {
    name: 'prometheus',
    accept: (frame: TimedFrame): Promise<void> => {
      const lane = this.#laneOf(frame)
      lane.inference.observe(frame.timings.inferenceMs / 1000)
      lane.endToEnd.observe(frame.timings.totalMs / 1000)
      return Promise.resolve()
    },
  }

  /** Takes over one sample of metrics, and which model serves. */
  take(metrics: Metrics, serving: ServingIdentity | undefined): void {
    for (const camera of metrics.cameras)
      for (const { key, counter } of this.#cameraCounters)
        counter.inc({ camera: camera.name }, this.#growth(`${key} ${camera.name}`, camera[key]))
    this.#count('yolo_edge_outbox_dropped_total', 'Reports dropped while they waited.', metrics.outboxDropped)
    this.#count(
      'yolo_edge_publishes_dropped_total',
      'Messages that were not sent, most of them while the broker was away.',
      metrics.publishesDropped,
    )
    this.#count(
      'yolo_edge_broker_reconnects_total',
      'Times that the broker was reached again.',
      metrics.reconnects,
    )
    this.#show('yolo_edge_uptime_seconds', 'Since the start of the agent.', metrics.uptimeMs / 1000)
    this.#show('yolo_edge_agent_memory_bytes', 'Resident memory of the agent.', metrics.agentMemoryBytes)
    this.#show('yolo_edge_memory_used_bytes', 'Used memory of the machine.', metrics.memoryUsedBytes)
    this.#show('yolo_edge_memory_total_bytes', 'Memory of the machine.', metrics.memoryTotalBytes)
    this.#show('yolo_edge_disk_free_bytes', 'Free on the disk of the models.', metrics.diskFreeBytes)
    this.#show('yolo_edge_temperature_celsius', 'Temperature of the chip.', metrics.temperatureC)
    this.#show('yolo_edge_cpu_ratio', 'Load of all cores together, 0..1.', shareOf(metrics.cpuPercent))
    this.#show(
      'yolo_edge_throttled',
      '1 while heat or power slow the chip down.',
      numberOf(metrics.throttled),
    )
    this.#show('yolo_edge_outbox_messages', 'Reports that wait for the broker.', metrics.outboxDepth)
    const delayMs = metrics.eventLoopDelay?.p99Ms
    this.#show(
      'yolo_edge_event_loop_delay_p99_seconds',
      'How late the event loop was, 99th percentile of the last sample.',
      delayMs === undefined ? undefined : delayMs / 1000,
    )
    this.#model.reset()
    if (serving !== undefined) this.#model.set({ ...serving }, 1)
  }

  /** All figures as text, and its content type. */
  async text(): Promise<{ readonly body: string; readonly contentType: string }> {
    return { body: await this.#registry.metrics(), contentType: this.#registry.contentType }
  }

  #histogram(name: string, help: string): Histogram {
    const registers = [this.#registry]
    return new Histogram({ name, help, labelNames: modelLabels, buckets: latencyBuckets, registers })
  }

  #counter(name: string, help: string, labelNames: readonly string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.#registry] })
  }

  #laneOf({ camera, identity }: TimedFrame): Lane {
    const known = this.#lanes.get(camera)
    // The pipeline hands on one identity for as long as a model serves.
    if (known?.identity === identity) return known
    const { model, version, variant } = identity
    const labels = [camera, model, version, variant] as const
    const [inference, endToEnd] = [this.#inference.labels(...labels), this.#endToEnd.labels(...labels)]
    const lane = { identity, inference, endToEnd }
    this.#lanes.set(camera, lane)
    return lane
  }

  /** What a total has grown by since it was last counted; one that has begun anew has grown by all of it. */
  #growth(key: string, total: number): number {
    const before = this.#before.get(key) ?? 0
    this.#before.set(key, total)
    return total >= before ? total - before : total
  }

  #count(name: string, help: string, total: number): void {
    let counter = this.#counters.get(name)
    if (counter === undefined) {
      counter = new Counter({ name, help, registers: [this.#registry] })
      this.#counters.set(name, counter)
    }
    counter.inc(this.#growth(name, total))
  }

  /** A figure that the machine does not tell is absent, not zero. */
  #show(name: string, help: string, value: number | undefined): void {
    let gauge = this.#gauges.get(name)
    if (value === undefined) {
      gauge?.remove()
      return
    }
    if (gauge === undefined) {
      gauge = new Gauge({ name, help, registers: [this.#registry] })
      this.#gauges.set(name, gauge)
    }
    gauge.set(value)
  }
}

const shareOf = (percent: number | undefined): number | undefined =>
  percent === undefined ? undefined : percent / 100

const numberOf = (flag: boolean | undefined): number | undefined =>
  flag === undefined ? undefined : Number(flag)
