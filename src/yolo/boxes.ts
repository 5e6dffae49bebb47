/**
 * Axis-aligned boxes given by their corners.
 * Invariant: an area is never negative; boxes that only touch have an overlap of 0.
 */

import type { Letterbox } from './letterbox.js'

/** Corners in pixels, x1 <= x2 and y1 <= y2. A Detection is a Box. */
export interface Box {
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
}

/** Area in square pixels; 0 for a box whose corners are the wrong way round. */
export function boxArea(box: Box): number {
  return Math.max(0, box.x2 - box.x1) * Math.max(0, box.y2 - box.y1)
}

/** Area that two boxes share, in square pixels. */
export function intersectionArea(a: Box, b: Box): number {
  const width = Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1)
  const height = Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1)
  return width > 0 && height > 0 ? width * height : 0
}

/** Intersection over union, 0..1; 0 where both boxes are empty. */
export function boxIou(a: Box, b: Box): number {
  const intersection = intersectionArea(a, b)
  return intersection === 0 ? 0 : intersection / (boxArea(a) + boxArea(b) - intersection)
}

/**
 * Maps a box from the model's input to the original picture and clips it there (Ultralytics' scale_boxes).
 * Each axis has its own factor, because the scaled picture was rounded to whole pixels.
 */
export function toSourceBox(box: Box, letterbox: Letterbox): Box {
  const { padLeft, padTop, sourceWidth, sourceHeight } = letterbox
  const scaleX = letterbox.scaledWidth / sourceWidth
  const scaleY = letterbox.scaledHeight / sourceHeight
  return {
    x1: clamp((box.x1 - padLeft) / scaleX, sourceWidth),
    y1: clamp((box.y1 - padTop) / scaleY, sourceHeight),
    x2: clamp((box.x2 - padLeft) / scaleX, sourceWidth),
    y2: clamp((box.y2 - padTop) / scaleY, sourceHeight),
  }
}

function clamp(value: number, limit: number): number {
  return Math.min(Math.max(value, 0), limit)
}
