/**
 * Where tracked boxes are and how they move: one Kalman filter a track, in center x, center y, aspect ratio and height (xyah),
 * with constant velocity. The noise follows the height of the box, as in DeepSORT (N. Wojke, A. Bewley, D. Paulus, Simple Online
 * and Realtime Tracking with a Deep Association Metric, 2017): position 1/20, velocity 1/160 of it a step.
 *
 * All matrices of that filter couple a coordinate only with its own velocity, so the 8 x 8 covariance is four blocks of 2 x 2,
 * and a filter step is a few multiplications instead of matrix products; the numbers are the same.
 * Invariant: tracks lie in slots of flat arrays; nothing is allocated while the slots suffice.
 */

import type { Detection } from '../yolo/detection.js'

/** Coordinates of a state: center x, center y, width / height, height. */
const dimensions = 4
const stdPosition = 1 / 20
const stdVelocity = 1 / 160
/**
 * Standard deviations of the aspect ratio: as it is first seen and moves on, of its velocity, and as it is measured. They are
 * wider than DeepSORT's (1e-2, 1e-5, 1e-1), which are for people who walk about in view: what comes into the picture, leaves it
 * or passes behind something changes its shape within a few frames.
 */
const stdAspect = 5e-2
const stdAspectVelocity = 1e-2
const stdAspectMeasured = 5e-2

export class TrackStates {
  /** Box corners of each slot as the filter has them now, four a slot, pixels. */
  boxes: Float64Array
  /** Velocities of center x, center y, aspect ratio and height of each slot, a step. */
  velocities: Float64Array
  #positions: Float64Array
  /** Of each coordinate: variance of the position, covariance, variance of the velocity. */
  #variances: Float64Array
  readonly #measured = new Float64Array(dimensions)

  /** Room for `capacity` slots. */
  constructor(capacity: number) {
    this.boxes = new Float64Array(capacity * 4)
    this.#positions = new Float64Array(capacity * dimensions)
    this.velocities = new Float64Array(capacity * dimensions)
    this.#variances = new Float64Array(capacity * dimensions * 3)
  }

  /** Makes room for `capacity` slots; what is in the present ones stays. */
  grow(capacity: number): void {
    const grown = (from: Float64Array, each: number): Float64Array => {
      const to = new Float64Array(capacity * each)
      to.set(from)
      return to
    }
    this.boxes = grown(this.boxes, 4)
    this.#positions = grown(this.#positions, dimensions)
    this.velocities = grown(this.velocities, dimensions)
    this.#variances = grown(this.#variances, dimensions * 3)
  }

  /** Begins a slot at `box`, with a velocity of the center that is a guess. */
  begin(slot: number, box: Detection, velocityX: number, velocityY: number): void {
    const at = slot * dimensions
    const height = box.y2 - box.y1
    this.#positions[at] = (box.x1 + box.x2) / 2
    this.#positions[at + 1] = (box.y1 + box.y2) / 2
    this.#positions[at + 2] = height > 0 ? (box.x2 - box.x1) / height : 1
    this.#positions[at + 3] = height
    this.velocities.fill(0, at, at + dimensions)
    this.velocities[at] = velocityX
    this.velocities[at + 1] = velocityY
    for (let index = 0; index < dimensions; index++) {
      const isAspect = index === 2
      const position = isAspect ? stdAspect : 2 * stdPosition * height
      const velocity = isAspect ? stdAspectVelocity : 10 * stdVelocity * height
      this.#setVariance(at + index, position * position, 0, velocity * velocity)
    }
    this.#showBox(slot)
  }

  /** Moves a slot on by `steps` of time; `keepsHeight` for a track that nobody has seen lately. */
  predict(slot: number, steps: number, keepsHeight: boolean): void {
    const at = slot * dimensions
    if (keepsHeight) this.velocities[at + 3] = 0
    const height = this.#positions[at + 3]!
    for (let index = 0; index < dimensions; index++) {
      const isAspect = index === 2
      const position = isAspect ? stdAspect : stdPosition * height
      const velocity = isAspect ? stdAspectVelocity : stdVelocity * height
      const entry = (at + index) * 3
      const variance = this.#variances[entry]!
      const covariance = this.#variances[entry + 1]!
      const velocityVariance = this.#variances[entry + 2]!
      this.#positions[at + index]! += this.velocities[at + index]! * steps
      this.#variances[entry] =
        variance + 2 * steps * covariance + steps * steps * velocityVariance + position * position * steps
      this.#variances[entry + 1] = covariance + steps * velocityVariance
      this.#variances[entry + 2] = velocityVariance + velocity * velocity * steps
    }
    this.#showBox(slot)
  }

  /** Takes `box` as what was measured of a slot. */
  correct(slot: number, box: Detection): void {
    const at = slot * dimensions
    const boxHeight = box.y2 - box.y1
    const noise = stdPosition * this.#positions[at + 3]!
    // Numbers are handed on in an array: as arguments they would be garbage.
    this.#measured[0] = (box.x1 + box.x2) / 2
    this.#measured[1] = (box.y1 + box.y2) / 2
    this.#measured[2] = boxHeight > 0 ? (box.x2 - box.x1) / boxHeight : this.#positions[at + 2]!
    this.#measured[3] = boxHeight
    for (let index = 0; index < dimensions; index++) {
      const entry = (at + index) * 3
      const std = index === 2 ? stdAspectMeasured : noise
      const variance = this.#variances[entry]!
      const covariance = this.#variances[entry + 1]!
      const sum = variance + std * std
      if (!(sum > 0)) continue
      const error = this.#measured[index]! - this.#positions[at + index]!
      this.#positions[at + index]! += (variance / sum) * error
      this.velocities[at + index]! += (covariance / sum) * error
      this.#variances[entry] = variance - (variance * variance) / sum
      this.#variances[entry + 1] = covariance - (variance * covariance) / sum
      this.#variances[entry + 2]! -= (covariance * covariance) / sum
    }
    this.#showBox(slot)
  }

  /** The picture has become larger or smaller: what was at (x, y) is at (x * scaleX, y * scaleY). */
  rescale(slot: number, scaleX: number, scaleY: number): void {
    const at = slot * dimensions
    const factors = [scaleX, scaleY, scaleX / scaleY, scaleY]
    for (let index = 0; index < dimensions; index++) {
      const factor = factors[index]!
      this.#positions[at + index]! *= factor
      this.velocities[at + index]! *= factor
      for (let part = 0; part < 3; part++) this.#variances[(at + index) * 3 + part]! *= factor * factor
    }
    this.#showBox(slot)
  }

  #setVariance(at: number, variance: number, covariance: number, velocityVariance: number): void {
    this.#variances[at * 3] = variance
    this.#variances[at * 3 + 1] = covariance
    this.#variances[at * 3 + 2] = velocityVariance
  }

  #showBox(slot: number): void {
    const at = slot * dimensions
    const height = this.#positions[at + 3]!
    const width = this.#positions[at + 2]! * height
    this.boxes[at] = this.#positions[at]! - width / 2
    this.boxes[at + 1] = this.#positions[at + 1]! - height / 2
    this.boxes[at + 2] = this.#positions[at]! + width / 2
    this.boxes[at + 3] = this.#positions[at + 1]! + height / 2
  }
}
