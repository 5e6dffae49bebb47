/**
 * Reads metrics in the form in which agents write them, field by field where they lie: at thousands of messages a second, most
 * of what a page did was turning each of them into objects of the protocol and forgetting these again.
 * Invariant: what is read here the protocol would read to the same figures; whatever else is in a payload, from an unknown
 * field to a moment in another notation, is for the protocol to judge.
 */

import { limits } from '../../protocol/limits.js'
import { isName } from '../../protocol/names.js'
import type { LiveFigures } from './live-figures.js'

interface Latency {
  readonly p50_ms: number
  readonly p95_ms: number
}

interface Camera {
  readonly name: string
  readonly processed_fps: number
  readonly inference?: Latency
  readonly end_to_end?: Latency
}

interface PlainMetrics {
  readonly window_ms: number
  readonly uptime_ms: number
  readonly agent_memory_bytes: number
  readonly disk_free_bytes?: number
  readonly temperature_c?: number
  readonly throttled?: boolean
  readonly cameras: readonly Camera[]
}

type Check = (value: unknown) => boolean

/** Which fields an object may have, and which it must. */
interface Form {
  readonly required: ReadonlyMap<string, Check>
  readonly optional: ReadonlyMap<string, Check>
}

const camerasMax = 64

const within =
  (least: number, most: number): Check =>
  (value) =>
    typeof value === 'number' && value >= least && value <= most
const amount = within(0, 1e15)
const count: Check = (value) => Number.isSafeInteger(value) && amount(value)
const momentPattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const moment: Check = (value) =>
  typeof value === 'string' && momentPattern.test(value) && !Number.isNaN(Date.parse(value))
const hasForm =
  (form: Form): Check =>
  (value) =>
    typeof value === 'object' && value !== null && fits(value, form)

function fits(value: object, { required, optional }: Form): boolean {
  let found = 0
  for (const key of Object.keys(value)) {
    const needed = required.get(key)
    const check = needed ?? optional.get(key)
    if (check?.((value as Readonly<Record<string, unknown>>)[key]) !== true) return false
    if (needed !== undefined) found++
  }
  return found === required.size
}

function formOf(
  required: Readonly<Record<string, Check>>,
  optional: Readonly<Record<string, Check>> = {},
): Form {
  return { required: new Map(Object.entries(required)), optional: new Map(Object.entries(optional)) }
}

const latency = hasForm(
  formOf({ count, mean_ms: amount, p50_ms: amount, p95_ms: amount, p99_ms: amount, max_ms: amount }),
)
const camera = hasForm(
  formOf(
    {
      name: (value) => typeof value === 'string' && isName(value),
      ...{ captured: count, processed: count, dropped: count, restarts: count, errors: count },
      ...{ captured_fps: amount, processed_fps: amount },
    },
    { inference: latency, end_to_end: latency },
  ),
)
const isPlainMetrics = hasForm(
  formOf(
    {
      schema: (value) => value === 1,
      at: moment,
      sequence: (value) => value !== 0 && count(value),
      ...{ window_ms: amount, uptime_ms: amount, agent_memory_bytes: amount },
      ...{ outbox_depth: count, outbox_dropped: count, publishes_dropped: count, reconnects: count },
      cameras: (value) => Array.isArray(value) && value.length <= camerasMax && value.every(camera),
    },
    {
      cpu_percent: within(0, 100),
      ...{ memory_used_bytes: amount, memory_total_bytes: amount, disk_free_bytes: amount },
      temperature_c: within(-100, 300),
      throttled: (value) => typeof value === 'boolean',
      event_loop_delay: hasForm(formOf({ p50_ms: amount, p99_ms: amount, max_ms: amount })),
    },
  ),
) as (value: unknown) => value is PlainMetrics

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Fills `live` with what `payload` says, as of the monotonic time `atMs`; false for what is not in plain form. */
export function readPlainMetrics(payload: Uint8Array, live: LiveFigures, atMs: number): boolean {
  const metrics = payload.length > limits.metricsBytes ? undefined : parse(payload)
  if (!isPlainMetrics(metrics)) return false
  live.atMs = atMs
  live.windowMs = metrics.window_ms
  live.uptimeMs = metrics.uptime_ms
  live.agentMemoryBytes = metrics.agent_memory_bytes
  live.diskFreeBytes = metrics.disk_free_bytes ?? Number.NaN
  live.temperatureC = metrics.temperature_c ?? Number.NaN
  live.throttled = Number(metrics.throttled === true)
  live.clearCameras()
  for (const { name, processed_fps, inference, end_to_end } of metrics.cameras)
    live.addCamera(name, processed_fps, [inference?.p50_ms, inference?.p95_ms, end_to_end?.p95_ms])
  return true
}

function parse(payload: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(payload))
  } catch {
    // The protocol's reader names what is wrong with it.
    return undefined
  }
}
