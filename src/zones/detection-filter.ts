/**
 * Leaves out what a camera is told to ignore: objects that stand in a mask, and those outside the limits of their class.
 * Invariant: the order of what is kept does not change; a frame allocates nothing.
 */

import type { Detection } from '../yolo/detection.js'
import { contains, type Corners, scaleInto } from './polygon.js'
import type { FilterPlan, ScenePlan } from './scene-plan.js'

export class DetectionFilter {
  readonly #plan: Pick<ScenePlan, 'masks' | 'filters'>
  readonly #masks: readonly Corners[]
  readonly #common: FilterPlan | undefined
  #width = 0
  #height = 0
  #classNames: readonly string[] | undefined
  /** Of each class of the model, its limits. */
  #limits: readonly (FilterPlan | undefined)[] = []

  constructor(plan: Pick<ScenePlan, 'masks' | 'filters'>) {
    this.#plan = plan
    this.#masks = plan.masks.map((points) => new Float64Array(points.length * 2))
    this.#common = plan.filters.find((filter) => filter.class === undefined)
  }

  /** Takes out of `detections`, of a picture of `width` x `height` pixels, what is to be ignored; they move together in place. */
  apply(detections: Detection[], classNames: readonly string[], width: number, height: number): void {
    this.#fit(classNames, width, height)
    let kept = 0
    for (let index = 0; index < detections.length; index++) {
      const found = detections[index]!
      if (this.#isKept(found)) detections[kept++] = found
    }
    detections.length = kept
  }

  #isKept({ classIndex, score, x1, y1, x2, y2 }: Detection): boolean {
    const limits = classIndex < this.#limits.length ? this.#limits[classIndex] : this.#common
    if (limits !== undefined) {
      const area = ((x2 - x1) * (y2 - y1)) / (this.#width * this.#height)
      if (score < limits.minScore || area < limits.minArea || area > limits.maxArea) return false
    }
    for (let index = 0; index < this.#masks.length; index++)
      if (contains(this.#masks[index]!, footX(x1, x2, this.#width), footY(y2, this.#height))) return false
    return true
  }

  #fit(classNames: readonly string[], width: number, height: number): void {
    if (width !== this.#width || height !== this.#height) {
      this.#width = width
      this.#height = height
      for (const [index, points] of this.#plan.masks.entries())
        scaleInto(this.#masks[index]!, points, width, height)
    }
    if (classNames === this.#classNames) return
    this.#classNames = classNames
    this.#limits = classNames.map(
      (name) => this.#plan.filters.find((filter) => filter.class === name) ?? this.#common,
    )
  }
}

/** An object stands where the middle of its lower edge is; one that the picture cuts off stands just inside of it. */
export function footX(x1: number, x2: number, width: number): number {
  return Math.min(Math.max((x1 + x2) / 2, 0), width - insideBy)
}

/** The y of the same point. */
export function footY(y2: number, height: number): number {
  return Math.min(Math.max(y2, 0), height - insideBy)
}

/** Pixels; right and lower edges of the picture do not belong to a polygon that ends there. */
const insideBy = 1e-6
