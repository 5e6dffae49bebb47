/**
 * What the last metrics of a device said, as far as a page shows it.
 * Invariant: lives as long as its device and is overwritten in place, so that a message each second and device leaves nothing
 * behind for the garbage collector to move about; NaN stands for what the device did not say.
 */

import type { Metrics } from '../../protocol/metrics.js'
import type { SampleFigures } from './samples.js'

/** How many numbers LiveFigures writes and reads. */
export const figuresWidth = 10

export class LiveFigures implements SampleFigures {
  /** When they arrived, by the page's monotonic clock. */
  atMs = Number.NaN
  windowMs = Number.NaN
  uptimeMs = Number.NaN
  agentMemoryBytes = Number.NaN
  diskFreeBytes = Number.NaN
  temperatureC = Number.NaN
  /** 1 while the processor is slowed down, else 0. */
  throttled = 0
  /** Frames a second of all cameras together. */
  fps = Number.NaN
  /** Latencies are those of the slowest camera. */
  p50Ms = Number.NaN
  p95Ms = Number.NaN
  endToEndP95Ms = Number.NaN
  /** Names of the cameras with a slash between two, which no name has in it. */
  cameras = ''

  /** Whether metrics have ever arrived. */
  get isKnown(): boolean {
    return !Number.isNaN(this.atMs)
  }

  /** Takes over what `metrics`, which arrived at the monotonic time `atMs`, say. */
  update(metrics: Metrics, atMs: number): void {
    this.atMs = atMs
    this.windowMs = metrics.windowMs
    this.uptimeMs = metrics.uptimeMs
    this.agentMemoryBytes = metrics.agentMemoryBytes
    this.diskFreeBytes = metrics.diskFreeBytes ?? Number.NaN
    this.temperatureC = metrics.temperatureC ?? Number.NaN
    this.throttled = Number(metrics.throttled === true)
    this.clearCameras()
    for (const { name, processedFps, inference, endToEnd } of metrics.cameras)
      this.addCamera(name, processedFps, [inference?.p50Ms, inference?.p95Ms, endToEnd?.p95Ms])
  }

  /** Appends the figures to `values`. */
  write(values: number[]): void {
    values.push(this.windowMs, this.uptimeMs, this.agentMemoryBytes, this.diskFreeBytes, this.temperatureC)
    values.push(this.throttled, this.fps, this.p50Ms, this.p95Ms, this.endToEndP95Ms)
  }

  /** Takes over what was written to `values` at `first`; it arrived at the monotonic time `atMs`. */
  read(values: Float64Array, first: number, atMs: number): void {
    this.atMs = atMs
    this.windowMs = values[first]!
    this.uptimeMs = values[first + 1]!
    this.agentMemoryBytes = values[first + 2]!
    this.diskFreeBytes = values[first + 3]!
    this.temperatureC = values[first + 4]!
    this.throttled = values[first + 5]!
    this.fps = values[first + 6]!
    this.p50Ms = values[first + 7]!
    this.p95Ms = values[first + 8]!
    this.endToEndP95Ms = values[first + 9]!
  }

  clearCameras(): void {
    this.fps = 0
    this.p50Ms = Number.NaN
    this.p95Ms = Number.NaN
    this.endToEndP95Ms = Number.NaN
    this.cameras = ''
  }

  /** Adds the figures of one camera; latencies are p50 and p95 of the inference, and p95 from end to end. */
  addCamera(name: string, fps: number, [p50Ms, p95Ms, endToEndP95Ms]: readonly (number | undefined)[]): void {
    this.fps += fps
    this.p50Ms = larger(this.p50Ms, p50Ms)
    this.p95Ms = larger(this.p95Ms, p95Ms)
    this.endToEndP95Ms = larger(this.endToEndP95Ms, endToEndP95Ms)
    this.cameras = this.cameras === '' ? name : `${this.cameras}/${name}`
  }
}

/** The larger of two figures of which either may be unknown. */
function larger(one: number, other = Number.NaN): number {
  return one >= other || Number.isNaN(other) ? one : other
}
