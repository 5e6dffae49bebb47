/** A camera in memory: frames come as fast as they are taken, from one slot of shared memory that really is reused. */

import { letterbox } from '../../src/yolo/letterbox.js'

export interface MemorySupplyOptions {
  readonly size: { readonly width: number; readonly height: number }
  /** After how many frames the source ends; endless by default. */
  readonly frames?: number
  /** The byte that fills frame n; 255 by default. */
  readonly value?: (frameId: number) => number
  /** The first frame's id. */
  readonly firstId?: number
  readonly wallMs?: () => number
  /** What next() rejects with after the last frame, in place of the end. */
  readonly failure?: Error
}

export class MemorySupply {
  readonly #options: MemorySupplyOptions
  readonly #pixels: SharedArrayBuffer
  #nextId: number
  #leased = 0
  #captured = 0
  isStopped = false
  /** How many leases were out at the most. */
  leasedMost = 0

  constructor(options: MemorySupplyOptions) {
    this.#options = options
    this.#nextId = options.firstId ?? 0
    this.#pixels = new SharedArrayBuffer(options.size.width * options.size.height * 3)
  }

  get leased(): number {
    return this.#leased
  }

  next(signal: AbortSignal): Promise<
    | {
        frameId: number
        capturedAtMs: number
        pixels: SharedArrayBuffer
        byteOffset: number
        byteLength: number
        letterbox: ReturnType<typeof letterbox>
        release: () => void
      }
    | undefined
  > {
    const { size, frames = Infinity, value = () => 255, wallMs = Date.now, failure } = this.#options
    if (signal.aborted || this.isStopped) return Promise.resolve(undefined)
    if (this.#captured >= frames)
      return failure === undefined ? Promise.resolve(undefined) : Promise.reject(failure)
    const frameId = this.#nextId++
    this.#captured++
    this.#leased++
    this.leasedMost = Math.max(this.leasedMost, this.#leased)
    new Uint8Array(this.#pixels).fill(value(frameId))
    return Promise.resolve({
      frameId,
      capturedAtMs: wallMs(),
      pixels: this.#pixels,
      byteOffset: 0,
      byteLength: this.#pixels.byteLength,
      letterbox: letterbox(size, size),
      release: () => {
        this.#leased--
        // What a camera would write next: a detector that still reads would see it.
        new Uint8Array(this.#pixels).fill(1)
      },
    })
  }

  stats(): { captured: number; dropped: number; restarts: number } {
    return { captured: this.#captured, dropped: 0, restarts: 0 }
  }

  stop(): Promise<void> {
    this.isStopped = true
    return Promise.resolve()
  }
}
