/**
 * Raw RGB from a program's stdout straight into ring slots.
 *
 *      program --stdout--> [unix socket] --read--> header row: the size of the picture (letterbox-filter.ts)
 *                                        \--read--> slot.pixels: the letterboxed picture
 *
 * The kernel copies into the slot itself; nothing of the size of a frame is allocated.
 * Invariant: a slot is committed when exactly its rows have arrived, with the geometry that they came with; bytes keep their order
 * over a pause.
 */

import type { Socket } from 'node:net'
import { invariant } from '../base/assert.js'
import type { Clock } from '../base/clock.js'
import { type AgentError, isAgentError } from '../base/errors.js'
import type { Letterbox } from '../yolo/letterbox.js'
import { letterbox } from '../yolo/letterbox.js'
import type { FrameRing, OpenSlot } from './frame-ring.js'
import { geometryIn, headerBytesOf } from './letterbox-filter.js'
import { socketPair } from './socket-pair.js'

/** What a program sends for one frame, bytes. */
export function frameBytesOf(ring: FrameRing): number {
  return headerBytesOf(ring.inputWidth) + ring.inputWidth * ring.inputHeight * 3
}

/** Hears the size of the first picture, and each other size that follows, pixels. */
export type PictureSizeListener = (width: number, height: number) => void

/** Turns reads of any size into committed frames. */
class FrameAssembler {
  readonly #ring: FrameRing
  readonly #clock: Clock
  readonly #onSize: PictureSizeListener
  readonly #frameBytes: number
  /** Where the first bytes after a pause land too: the socket wants its next buffer before a slot is free. */
  readonly #header: Uint8Array
  /** Of the frame before; until the first one, that of a picture without padding. */
  #box: Letterbox
  #hasSize = false
  #slot: OpenSlot | undefined
  #position = 0
  #startedAtMs = 0

  constructor(ring: FrameRing, clock: Clock, onSize: PictureSizeListener) {
    const input = { width: ring.inputWidth, height: ring.inputHeight }
    this.#ring = ring
    this.#clock = clock
    this.#onSize = onSize
    this.#frameBytes = frameBytesOf(ring)
    this.#header = new Uint8Array(headerBytesOf(ring.inputWidth))
    this.#box = letterbox(input, input)
    this.#slot = ring.tryBegin(this.#box)
  }

  /** Bytes of a frame that is not complete. */
  get pendingBytes(): number {
    return this.#position
  }

  get hasSlot(): boolean {
    return this.#slot !== undefined
  }

  /** Where the next read goes. */
  nextBuffer(): Uint8Array {
    const rest = this.#position - this.#header.length
    if (rest < 0) return this.#header.subarray(this.#position)
    // A ring that has ended in the middle of a frame gives no slot: nothing is read any more.
    return this.#slot?.pixels.subarray(rest) ?? this.#header
  }

  /** Takes a read of `count` bytes. Afterwards `hasSlot` says whether reading may go on. Throws `camera.stream_broken`. */
  accept(count: number): void {
    const { length: headerBytes } = this.#header
    invariant(this.#slot !== undefined, 'nothing is read without a slot')
    if (this.#position === 0) this.#startedAtMs = this.#clock.wallMs()
    this.#position += count
    invariant(this.#position <= this.#frameBytes, 'a read stays within its frame')
    if (this.#position === headerBytes) this.#takeSize(this.#slot)
    if (this.#position < this.#frameBytes) return
    this.#ring.commit(this.#slot, this.#startedAtMs)
    this.#position = 0
    this.#slot = this.#ring.tryBegin(this.#box)
  }

  /** Waits for a free slot; false when the ring or `signal` ended the wait. */
  async waitForSlot(signal: AbortSignal): Promise<boolean> {
    this.#slot = await this.#ring.begin(this.#box, signal)
    return this.#slot !== undefined
  }

  /** Gives an unfinished slot back. */
  discard(): void {
    if (this.#slot !== undefined) this.#ring.abandon(this.#slot)
    this.#slot = undefined
  }

  /** The header is complete: the slot takes the geometry of its picture. */
  #takeSize(slot: OpenSlot): void {
    const box = geometryIn(this.#header, this.#box)
    const isNew = box !== this.#box
    if (isNew) {
      this.#box = box
      this.#ring.abandon(slot)
      this.#slot = this.#ring.tryBegin(box)
    }
    if (isNew || !this.#hasSize) this.#onSize(box.sourceWidth, box.sourceHeight)
    this.#hasSize = true
  }
}

export interface PixelPipe {
  /** Becomes the program's stdout. The program has its own copy once started: destroy this one then. */
  readonly writeEnd: Socket
  /** Resolves when the write end is closed everywhere, with the bytes of an unfinished frame. Never rejects. */
  readonly drained: Promise<{ readonly pendingBytes: number; readonly fault: AgentError | undefined }>
}

/** Opens a pipe whose read end fills `ring` until it is drained or `signal` aborts. */
export async function openPixelPipe(
  ring: FrameRing,
  clock: Clock,
  signal: AbortSignal,
  onSize: PictureSizeListener,
): Promise<PixelPipe> {
  const assembler = new FrameAssembler(ring, clock, onSize)
  if (!assembler.hasSlot) await assembler.waitForSlot(signal)
  const resumeWithSlot = async (): Promise<void> => {
    if (await assembler.waitForSlot(signal)) readEnd.resume()
    else readEnd.destroy()
  }
  let fault: AgentError | undefined
  const { readEnd, writeEnd } = await socketPair({
    buffer: () => assembler.nextBuffer(),
    callback: (count) => {
      try {
        assembler.accept(count)
      } catch (thrown) {
        if (!isAgentError(thrown)) throw thrown
        fault = thrown
        readEnd.destroy()
        return false
      }
      if (!assembler.hasSlot) void resumeWithSlot()
      return assembler.hasSlot
    },
  }).catch((thrown: unknown) => {
    assembler.discard()
    throw thrown
  })
  const drained = new Promise<{ pendingBytes: number; fault: AgentError | undefined }>((resolve) => {
    // A reset connection is an end like another: how the program ended says why.
    readEnd.on('error', () => undefined)
    readEnd.once('close', () => {
      const { pendingBytes } = assembler
      assembler.discard()
      resolve({ pendingBytes, fault })
    })
  })
  const destroy = (): void => {
    readEnd.destroy()
  }
  signal.addEventListener('abort', destroy, { once: true })
  void drained.then(() => {
    signal.removeEventListener('abort', destroy)
  })
  if (signal.aborted) destroy()
  return { writeEnd, drained }
}
