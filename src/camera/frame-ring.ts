/**
 * Frames on their way from a source to the detector: a fixed set of slots in one block of shared memory.
 *
 *                 begin                 commit                next
 *      free ---------------> filling ----------> filled ----------------> leased
 *       ^                       |                  |                        |
 *       |        abandon        |    a newer one   |        release         |
 *       +-----------------------+------------------+------------------------+
 *
 *      slot 0          slot 1          slot 2          slot 3
 *     [leased #41 ....][filled #42 ....][filling .......][free ..........]   one SharedArrayBuffer
 *      the detector     next() takes     the source  
 *      reads it         this one         writes it  
 *
 * `live`: a filled frame that nobody took gives way to a newer one and counts as dropped; the source never waits.
 * `every-frame`: frames leave in the order they came; when no slot is free, the source waits.
 *
 * Invariant: each slot is in exactly one state; only the source writes, and only to a filling slot; only the consumer reads,
 * and only a leased one; captured = delivered + dropped + filled.
 */

import { invariant } from '../base/assert.js'
import type { Letterbox } from '../yolo/letterbox.js'
import { letterboxPad } from '../yolo/letterbox.js'
import { Bell } from './bell.js'
import type { FrameLease } from './frame-lease.js'

/** What happens when frames come faster than they are taken. */
export type FrameMode = 'live' | 'every-frame'

export interface FrameRingOptions {
  /** Size of the model's input, pixels. */
  readonly inputWidth: number
  readonly inputHeight: number
  readonly mode: FrameMode
  /** At least 3: one being filled, one filled, one leased. Two leases at a time need 4. */
  readonly slotCount: number
}

/** A slot that the source is writing. It lends `pixels` until commit or abandon. */
export interface OpenSlot {
  readonly index: number
  /** `[inputHeight, inputWidth, 3]` in shared memory; what lies outside of the scaled picture is grey already. */
  readonly pixels: Uint8Array
  readonly letterbox: Letterbox
}

interface Slot {
  readonly index: number
  readonly pixels: Uint8Array
  state: 'free' | 'filling' | 'filled' | 'leased'
  letterbox: Letterbox | undefined
  frameId: number
  capturedAtMs: number
}

function hasSamePadding(a: Letterbox, b: Letterbox): boolean {
  return (
    a.padLeft === b.padLeft &&
    a.padTop === b.padTop &&
    a.scaledWidth === b.scaledWidth &&
    a.scaledHeight === b.scaledHeight
  )
}

export class FrameRing {
  readonly inputWidth: number
  readonly inputHeight: number
  readonly mode: FrameMode
  readonly #memory: SharedArrayBuffer
  readonly #slots: readonly Slot[]
  /** Filled slots, oldest first; at most one in live mode. */
  readonly #filled: Slot[] = []
  readonly #frameReady = new Bell()
  readonly #slotFree = new Bell()
  #captured = 0
  #dropped = 0
  #isEnded = false
  #failure: Error | undefined

  constructor(options: FrameRingOptions) {
    const { inputWidth, inputHeight, slotCount } = options
    invariant(Number.isInteger(slotCount) && slotCount >= 3, `a ring has at least 3 slots, got ${slotCount}`)
    const frameBytes = inputWidth * inputHeight * 3
    invariant(frameBytes > 0, `the input has a size, got ${inputWidth}x${inputHeight}`)
    this.inputWidth = inputWidth
    this.inputHeight = inputHeight
    this.mode = options.mode
    this.#memory = new SharedArrayBuffer(frameBytes * slotCount)
    this.#slots = Array.from({ length: slotCount }, (_, index) => ({
      index,
      pixels: new Uint8Array(this.#memory, index * frameBytes, frameBytes),
      state: 'free',
      letterbox: undefined,
      frameId: 0,
      capturedAtMs: 0,
    }))
  }

  /** Frames committed since construction. */
  get captured(): number {
    return this.#captured
  }

  /** Frames that were captured and never taken. */
  get dropped(): number {
    return this.#dropped
  }

  /** Whether the source waits for the consumer: it is not to blame for the silence. */
  get isSourceWaiting(): boolean {
    return this.#slotFree.isAwaited
  }

  /** A slot to write the next frame to; undefined when none is free (`every-frame` only) or the ring has ended. */
  tryBegin(letterbox: Letterbox): OpenSlot | undefined {
    if (this.#isEnded) return undefined
    const slot = this.#slots.find((candidate) => candidate.state === 'free')
    if (slot === undefined) {
      invariant(this.mode === 'every-frame', 'a live source always finds a slot')
      return undefined
    }
    if (slot.letterbox === undefined || !hasSamePadding(slot.letterbox, letterbox))
      slot.pixels.fill(letterboxPad)
    slot.state = 'filling'
    slot.letterbox = letterbox
    return { index: slot.index, pixels: slot.pixels, letterbox }
  }

  /** As `tryBegin`, but waits for a free slot. Undefined when the ring has ended or `signal` aborts. One caller at a time. */
  async begin(letterbox: Letterbox, signal: AbortSignal): Promise<OpenSlot | undefined> {
    while (!signal.aborted && !this.#isEnded) {
      const slot = this.tryBegin(letterbox)
      if (slot !== undefined) return slot
      await this.#slotFree.wait(signal)
    }
    return undefined
  }

  /** Hands a written frame over. `capturedAtMs`: wall time when it was taken. Ends the loan of the slot. */
  commit(open: OpenSlot, capturedAtMs: number): void {
    const slot = this.#slotInState(open.index, 'filling')
    this.#captured++
    if (this.#isEnded) {
      this.#drop(slot)
      return
    }
    if (this.mode === 'live') this.#dropFilled()
    slot.state = 'filled'
    slot.frameId = this.#captured
    slot.capturedAtMs = capturedAtMs
    this.#filled.push(slot)
    this.#frameReady.wake()
  }

  /** Gives a slot back without a frame. */
  abandon(open: OpenSlot): void {
    this.#free(this.#slotInState(open.index, 'filling'))
  }

  /**
   * The newest frame (`live`) or the next in order (`every-frame`); waits for one. The lease must be released exactly once.
   * Undefined when the source has ended for good or `signal` aborts. Rejects with the error that ended the source, if one did.
   * One caller at a time; in live mode at most `slotCount - 2` leases may be held.
   */
  async next(signal: AbortSignal): Promise<FrameLease | undefined> {
    while (!signal.aborted) {
      const slot = this.#filled.shift()
      if (slot !== undefined) return this.#lease(slot)
      if (this.#failure !== undefined) throw this.#failure
      if (this.#isEnded) return undefined
      await this.#frameReady.wait(signal)
    }
    return undefined
  }

  /** No more frames will come; those already filled are still delivered. `failure` is thrown by next() after them. */
  end(failure?: Error): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#failure = failure
    this.#frameReady.wake()
    this.#slotFree.wake()
  }

  /** Ends at once: frames that nobody took are dropped. Leases stay valid until they are released. */
  close(): void {
    this.#dropFilled()
    this.#failure = undefined
    this.end()
  }

  #lease(slot: Slot): FrameLease {
    invariant(slot.state === 'filled' && slot.letterbox !== undefined, `slot ${slot.index} is filled`)
    slot.state = 'leased'
    const leases = this.#slots.filter(({ state }) => state === 'leased').length
    invariant(
      this.mode === 'every-frame' || leases <= this.#slots.length - 2,
      `at most ${this.#slots.length - 2} frames are leased, got ${leases}`,
    )
    const { frameId } = slot
    return {
      frameId,
      capturedAtMs: slot.capturedAtMs,
      pixels: this.#memory,
      byteOffset: slot.pixels.byteOffset,
      byteLength: slot.pixels.byteLength,
      letterbox: slot.letterbox,
      release: () => {
        invariant(slot.state === 'leased' && slot.frameId === frameId, `frame ${frameId} is released once`)
        this.#free(slot)
      },
    }
  }

  #slotInState(index: number, state: Slot['state']): Slot {
    const slot = this.#slots[index]
    invariant(slot?.state === state, `slot ${index} is ${state}, got ${slot?.state ?? 'no such slot'}`)
    return slot
  }

  #dropFilled(): void {
    for (let slot = this.#filled.shift(); slot !== undefined; slot = this.#filled.shift()) this.#drop(slot)
  }

  #drop(slot: Slot): void {
    this.#dropped++
    this.#free(slot)
  }

  #free(slot: Slot): void {
    slot.state = 'free'
    this.#slotFree.wake()
  }
}
