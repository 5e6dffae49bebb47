/**
 * Raw RGB from a program's stdout straight into ring slots.
 *
 *      program --stdout--> [unix socket] --read--> slot.pixels[padTop rows .. padTop + scaledHeight rows]
 *
 * The program sends whole rows of the input's width but only the rows with picture in them: what is above and below is grey
 * already. The kernel copies into the slot itself; nothing of the size of a frame is allocated.
 * Invariant: a slot is committed when exactly its rows have arrived; bytes keep their order over a pause.
 */

import type { Socket } from 'node:net'
import { invariant } from '../base/assert.js'
import type { Clock } from '../base/clock.js'
import type { Letterbox } from '../yolo/letterbox.js'
import type { FrameRing, OpenSlot } from './frame-ring.js'
import { socketPair } from './socket-pair.js'

/** What a program sends for one frame, bytes. */
export function bandBytesOf(box: Letterbox): number {
  return box.inputWidth * box.scaledHeight * 3
}

/** Turns reads of any size into committed frames. */
class FrameAssembler {
  readonly #ring: FrameRing
  readonly #box: Letterbox
  readonly #clock: Clock
  readonly #bandStart: number
  readonly #bandBytes: number
  /** Where the first bytes after a pause land: the socket wants its next buffer before a slot is free. */
  readonly #scratch = new Uint8Array(16)
  #slot: OpenSlot | undefined
  #position = 0
  #startedAtMs = 0

  constructor(ring: FrameRing, box: Letterbox, clock: Clock) {
    this.#ring = ring
    this.#box = box
    this.#clock = clock
    this.#bandStart = box.padTop * box.inputWidth * 3
    this.#bandBytes = bandBytesOf(box)
    invariant(this.#bandBytes >= this.#scratch.length, `a frame has at least ${this.#scratch.length} bytes`)
    this.#slot = ring.tryBegin(box)
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
    if (this.#slot === undefined) return this.#scratch
    return this.#slot.pixels.subarray(this.#bandStart + this.#position, this.#bandStart + this.#bandBytes)
  }

  /** Takes a read of `count` bytes into `buffer`. Afterwards `hasSlot` says whether reading may go on. */
  accept(count: number, buffer: Uint8Array): void {
    const slot = this.#slot
    invariant(slot !== undefined, 'nothing is read without a slot')
    if (buffer === this.#scratch) slot.pixels.set(buffer.subarray(0, count), this.#bandStart + this.#position)
    if (this.#position === 0) this.#startedAtMs = this.#clock.wallMs()
    this.#position += count
    invariant(this.#position <= this.#bandBytes, 'a read stays within its frame')
    if (this.#position < this.#bandBytes) return
    this.#ring.commit(slot, this.#startedAtMs)
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
}

export interface PixelPipe {
  /** Becomes the program's stdout. The program has its own copy once started: destroy this one then. */
  readonly writeEnd: Socket
  /** Resolves when the write end is closed everywhere, with the bytes of an unfinished frame. Never rejects. */
  readonly drained: Promise<number>
}

/** Opens a pipe whose read end fills `ring` with frames of geometry `box` until it is drained or `signal` aborts. */
export async function openPixelPipe(
  ring: FrameRing,
  box: Letterbox,
  clock: Clock,
  signal: AbortSignal,
): Promise<PixelPipe> {
  const assembler = new FrameAssembler(ring, box, clock)
  if (!assembler.hasSlot) await assembler.waitForSlot(signal)
  const resumeWithSlot = async (): Promise<void> => {
    if (await assembler.waitForSlot(signal)) readEnd.resume()
    else readEnd.destroy()
  }
  const { readEnd, writeEnd } = await socketPair({
    buffer: () => assembler.nextBuffer(),
    callback: (count, buffer) => {
      assembler.accept(count, buffer)
      if (!assembler.hasSlot) void resumeWithSlot()
      return assembler.hasSlot
    },
  }).catch((thrown: unknown) => {
    assembler.discard()
    throw thrown
  })
  const drained = new Promise<number>((resolve) => {
    // A reset connection is an end like another: how the program ended says why.
    readEnd.on('error', () => undefined)
    readEnd.once('close', () => {
      const { pendingBytes } = assembler
      assembler.discard()
      resolve(pendingBytes)
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
