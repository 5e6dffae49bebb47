/**
 * Brings a picture and the detections of the same frame together.
 *
 *     pictures   ...  [812]        [815]
 *     detections ... 811 812 813 814 815 816      -> 812 over 812, 815 over 815
 *
 * Invariant: while pictures come, boxes are only drawn over the frame they belong to; what waits is bounded.
 */

import type { FrameDetections } from '../../protocol/detections.js'
import type { Preview } from '../../protocol/preview.js'

/** The picture and the detections that are drawn next; they belong to the same frame. */
export interface Scene {
  readonly picture: Preview | undefined
  readonly detections: FrameDetections | undefined
}

const keptMax = 120
/** After this long without a picture, boxes are drawn on an empty floor. */
const picturePatienceMs = 3000

export class FramePairs {
  readonly #recent = new Map<number, FrameDetections>()
  #waiting: Preview | undefined
  #pictureAtMs = -Infinity

  /** Adds the detections of a frame; returns a scene if there is something new to draw. */
  addDetections(detections: FrameDetections, nowMs: number): Scene | undefined {
    this.#recent.delete(detections.frameId)
    this.#recent.set(detections.frameId, detections)
    if (this.#recent.size > keptMax) this.#recent.delete(this.#recent.keys().next().value!)
    const waiting = this.#waiting
    if (waiting?.frame?.frameId === detections.frameId) {
      this.#waiting = undefined
      return { picture: waiting, detections }
    }
    return nowMs - this.#pictureAtMs > picturePatienceMs ? { picture: undefined, detections } : undefined
  }

  /** Adds a picture; returns a scene once its detections are there, at once for a picture without a number. */
  addPicture(picture: Preview, nowMs: number): Scene | undefined {
    this.#pictureAtMs = nowMs
    if (picture.frame === undefined) return { picture, detections: [...this.#recent.values()].at(-1) }
    const detections = this.#recent.get(picture.frame.frameId)
    if (detections !== undefined) {
      this.#waiting = undefined
      return { picture, detections }
    }
    const passedOver = this.#waiting
    this.#waiting = picture
    return passedOver === undefined ? undefined : { picture: passedOver, detections: undefined }
  }
}
