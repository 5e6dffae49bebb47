/**
 * The best picture of each object that is in a zone of a camera.
 *
 *     frame --copy--> [one buffer] --sharp--> JPEG, shared by all stays that it is the best picture of
 *
 * Invariant: one picture of a camera is made at a time, and better ones at most twice a second; a frame that is not needed costs
 * nothing, one that is needed one copy into memory that is there already.
 */

import type { Clock } from '../../base/clock.js'
import { messageOf } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import { drawnBox } from '../../camera/draw-detections.js'
import { encodePreview, previewDefaults } from '../../camera/encode-preview.js'
import type { FrameLease } from '../../pipeline/ports.js'

/** Left, top, right, bottom: shares of the picture. */
export type Share = readonly [number, number, number, number]

/** What a picture was made of. */
export interface Picture {
  readonly jpeg: Uint8Array
  /** Wall time of its capture, milliseconds. */
  readonly atMs: number
}

/** Whoever wants a picture. */
export interface Sitter {
  /** How good the picture is that it has: score, less where the object is cut off; 0 without one. */
  quality: number
  /** The picture, once it is made. */
  picture: { readonly made: Promise<Picture | undefined>; readonly share: Share } | undefined
}

export interface EventPictureOptions {
  readonly camera: string
  readonly widthMax: number
  readonly drawsBox: boolean
  readonly clock: Clock
  readonly logger: Logger
}

/** A picture has to be better by this factor to be made anew. */
const betterFactor = 1.1
const betterEveryMs = 500
const cutOffFactor = 0.5

export class EventPictures {
  readonly #options: EventPictureOptions
  #buffer = new SharedArrayBuffer(0)
  #isBusy = false
  #nextAtMs = 0

  constructor(options: EventPictureOptions) {
    this.#options = options
  }

  /** How good a picture of an object of this score and place would be. */
  static qualityOf(score: number, [left, top, right, bottom]: Share): number {
    const isCutOff = left <= 0 || top <= 0 || right >= 1 || bottom >= 1
    return isCutOff ? score * cutOffFactor : score
  }

  /** Whether `frame` would be taken for a sitter that has a picture of `before` and would get one of `now`. */
  wants(before: number, now: number): boolean {
    if (this.#isBusy || now <= before * betterFactor) return false
    return before === 0 || this.#options.clock.monotonicMs() >= this.#nextAtMs
  }

  /** Makes a picture of `frame` (borrowed for the call) for all who hold the returned promise. */
  take(frame: FrameLease): Promise<Picture | undefined> {
    this.#isBusy = true
    this.#nextAtMs = this.#options.clock.monotonicMs() + betterEveryMs
    if (this.#buffer.byteLength !== frame.byteLength) this.#buffer = new SharedArrayBuffer(frame.byteLength)
    new Uint8Array(this.#buffer).set(new Uint8Array(frame.pixels, frame.byteOffset, frame.byteLength))
    return this.#make(frame.letterbox, frame.byteLength, frame.capturedAtMs)
  }

  /** The picture of an object as it is sent: with its box drawn into it where that is wanted. */
  async finish({ jpeg, atMs }: Picture, share: Share, label: string): Promise<Picture> {
    return this.#options.drawsBox ? { jpeg: await drawnBox(jpeg, share, label), atMs } : { jpeg, atMs }
  }

  async #make(
    letterbox: FrameLease['letterbox'],
    byteLength: number,
    atMs: number,
  ): Promise<Picture | undefined> {
    const { camera, widthMax, logger } = this.#options
    try {
      const frame = { pixels: this.#buffer, byteOffset: 0, byteLength, letterbox }
      return { jpeg: await encodePreview(frame, { ...previewDefaults, maxWidth: widthMax }), atMs }
    } catch (thrown) {
      logger.warn({ camera, reason: messageOf(thrown) }, 'a picture of an event could not be made')
      return undefined
    } finally {
      this.#isBusy = false
    }
  }
}
