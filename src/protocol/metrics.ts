/** How a device and its cameras are doing, every few seconds. Invariant: totals only grow until the agent restarts. */

import * as v from 'valibot'
import {
  amountField,
  countField,
  integerField,
  listField,
  momentField,
  nameField,
  numberField,
} from './fields.js'
import { jsonPayload } from './json-payload.js'
import { camerasMax, limits } from './limits.js'
import { latencyField } from './measurement.js'
import type { LatencyFigures } from './measurement.js'

/** One camera: totals since the start, and figures of the last window. */
export interface CameraMetrics {
  readonly name: string
  readonly captured: number
  readonly processed: number
  readonly dropped: number
  readonly restarts: number
  readonly errors: number
  /** Frames a second in the last window. */
  readonly capturedFps: number
  readonly processedFps: number
  /** From the worker's take of a frame to its detections. */
  readonly inference?: LatencyFigures
  /** From capture to published detections. */
  readonly endToEnd?: LatencyFigures
}

/** One sample. */
export interface Metrics {
  readonly at: string
  /** Rises by one a sample, from 1 at each start. */
  readonly sequence: number
  readonly windowMs: number
  readonly uptimeMs: number
  /** Of all cores together, 0..100. */
  readonly cpuPercent?: number
  /** Of the agent's process and of the machine. */
  readonly agentMemoryBytes: number
  readonly memoryUsedBytes?: number
  readonly memoryTotalBytes?: number
  readonly diskFreeBytes?: number
  readonly temperatureC?: number
  /** The SoC has slowed down because of heat or power. */
  readonly throttled?: boolean
  /** How late the agent's event loop was in this window: what its MQTT and camera work waits for. */
  readonly eventLoopDelay?: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number }
  readonly outboxDepth: number
  readonly outboxDropped: number
  /** Messages that were not sent because the device was offline. */
  readonly publishesDropped: number
  readonly reconnects: number
  readonly cameras: readonly CameraMetrics[]
}

const cameraField: v.GenericSchema<unknown, CameraMetrics> = v.object({
  name: nameField,
  captured: countField,
  processed: countField,
  dropped: countField,
  restarts: countField,
  errors: countField,
  capturedFps: amountField,
  processedFps: amountField,
  inference: v.exactOptional(latencyField),
  endToEnd: v.exactOptional(latencyField),
})

const metricsSchema: v.GenericSchema<unknown, Metrics> = v.object({
  at: momentField,
  sequence: integerField(1, Number.MAX_SAFE_INTEGER),
  windowMs: amountField,
  uptimeMs: amountField,
  cpuPercent: v.exactOptional(numberField(0, 100)),
  agentMemoryBytes: amountField,
  memoryUsedBytes: v.exactOptional(amountField),
  memoryTotalBytes: v.exactOptional(amountField),
  diskFreeBytes: v.exactOptional(amountField),
  temperatureC: v.exactOptional(numberField(-100, 300)),
  throttled: v.exactOptional(v.boolean()),
  eventLoopDelay: v.exactOptional(v.object({ p50Ms: amountField, p99Ms: amountField, maxMs: amountField })),
  outboxDepth: countField,
  outboxDropped: countField,
  publishesDropped: countField,
  reconnects: countField,
  cameras: listField(cameraField, camerasMax),
})

const payload = jsonPayload<Metrics>({
  what: 'metrics',
  schema: metricsSchema,
  bytesMax: limits.metricsBytes,
  version: 1,
})

/** Reads one sample of metrics. Throws `protocol.*` errors that name the field. */
export const parseMetrics = payload.parse

/** Writes one sample of metrics. Throws the same errors when a reader would refuse it. */
export const encodeMetrics = payload.encode

/** The form on the wire, for documents. */
export const metricsWire = payload.shape
