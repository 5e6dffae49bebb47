/**
 * Metrics on their way from the worker to the page, as numbers alone: the worker reads the text, so that the page, which has
 * frames to draw, neither parses nor forgets some thousand objects a second.
 * Invariant: holds only what parsed; the page learns what it would have read itself.
 */

import { parseMetrics } from '../../protocol/metrics.js'
import { figuresWidth, LiveFigures } from './live-figures.js'
import { readPlainMetrics } from './plain-metrics.js'

export interface FiguresBatch {
  /** Names of the devices, oldest message first. */
  readonly devices: readonly string[]
  /** The cameras of each device, as LiveFigures writes them. */
  readonly cameras: readonly string[]
  /** For each device `figuresWidth` figures, in a buffer of their own, to be transferred to another thread. */
  readonly values: Float64Array<ArrayBuffer>
}

/** Collects figures for one batch. */
export class FiguresPacker {
  readonly #devices: string[] = []
  readonly #cameras: string[] = []
  readonly #values: number[] = []
  readonly #scratch = new LiveFigures()

  /** Adds the metrics of `device`; false when they cannot be read. */
  add(device: string, payload: Uint8Array): boolean {
    if (!readMetrics(payload, this.#scratch)) return false
    this.#devices.push(device)
    this.#cameras.push(this.#scratch.cameras)
    this.#scratch.write(this.#values)
    return true
  }

  /** Everything that was added to this batch, ready to be sent to another thread. */
  pack(): FiguresBatch {
    return { devices: this.#devices, cameras: this.#cameras, values: new Float64Array(this.#values) }
  }
}

function readMetrics(payload: Uint8Array, live: LiveFigures): boolean {
  if (readPlainMetrics(payload, live, 0)) return true
  try {
    live.update(parseMetrics(payload), 0)
    return true
  } catch {
    // Whoever keeps count of refusals reads them again and learns the reason.
    return false
  }
}

/** Calls `read` for each device, with the place of its figures in the values. */
export function unpackFigures(
  { devices, cameras }: FiguresBatch,
  read: (device: string, cameras: string, first: number) => void,
): void {
  for (const [index, device] of devices.entries()) read(device, cameras[index]!, index * figuresWidth)
}
