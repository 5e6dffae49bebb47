/**
 * Points and polygons of a picture, x to the right and y downward, in any unit.
 * Invariant: every point is inside or outside of a polygon, and of two polygons that share an edge in exactly one.
 */

/** x, y. */
export type Point = readonly [x: number, y: number]

/** The corners of a polygon one after the other: x0, y0, x1, y1, ... */
export type Corners = Float64Array

/** `points` in units that are `scaleX` and `scaleY` as large, written into `corners` (twice as long as `points`). */
export function scaleInto(corners: Corners, points: readonly Point[], scaleX: number, scaleY: number): void {
  for (let index = 0; index < points.length; index++) {
    corners[index * 2] = points[index]![0] * scaleX
    corners[index * 2 + 1] = points[index]![1] * scaleY
  }
}

/** Whether the point is inside, by the even-odd rule; left and upper edges belong to the inside. */
export function contains(corners: Corners, x: number, y: number): boolean {
  let isInside = false
  const length = corners.length
  for (let at = 0, before = length - 2; at < length; before = at, at += 2) {
    const y1 = corners[at + 1]!
    const y2 = corners[before + 1]!
    if (y1 > y === y2 > y) continue
    const x1 = corners[at]!
    if (x < x1 + ((y - y1) / (y2 - y1)) * (corners[before]! - x1)) isInside = !isInside
  }
  return isInside
}

/** Distance of the point from the nearest edge. */
export function distanceToEdge(corners: Corners, x: number, y: number): number {
  let least = Infinity
  const length = corners.length
  for (let at = 0, before = length - 2; at < length; before = at, at += 2) {
    const fromX = corners[before]!
    const fromY = corners[before + 1]!
    const alongX = corners[at]! - fromX
    const alongY = corners[at + 1]! - fromY
    const squared = alongX * alongX + alongY * alongY
    const share = squared === 0 ? 0 : ((x - fromX) * alongX + (y - fromY) * alongY) / squared
    const nearest = Math.min(1, Math.max(0, share))
    const awayX = x - fromX - nearest * alongX
    const awayY = y - fromY - nearest * alongY
    least = Math.min(least, awayX * awayX + awayY * awayY)
  }
  // Math.hypot makes garbage at each call.
  return Math.sqrt(least)
}

/** The cross product of two directions; positive where the second one leads to the right of the first. */
export function cross(oneX: number, oneY: number, otherX: number, otherY: number): number {
  return oneX * otherY - oneY * otherX
}

const turnOf = (from: Point, to: Point, point: Point): number =>
  cross(to[0] - from[0], to[1] - from[1], point[0] - from[0], point[1] - from[1])

/** Two edges of the closed polygon `points` that cross or touch each other elsewhere than in a common corner, by their first corners. */
export function crossingEdges(points: readonly Point[]): readonly [number, number] | undefined {
  const count = points.length
  for (let one = 0; one < count; one++) {
    const a = points[one]!
    const b = points[(one + 1) % count]!
    const next = points[(one + 2) % count]!
    // An edge that goes back over the one before it.
    const isBack = (a[0] - b[0]) * (next[0] - b[0]) + (a[1] - b[1]) * (next[1] - b[1]) > 0
    if (isBack && turnOf(a, b, next) === 0) return [one, (one + 1) % count]
    for (let other = one + 2; other < count; other++) {
      if ((other + 1) % count === one) continue
      if (haveCommonPoint(a, b, points[other]!, points[(other + 1) % count]!)) return [one, other]
    }
  }
  return undefined
}

function haveCommonPoint(a: Point, b: Point, c: Point, d: Point): boolean {
  const turns = [turnOf(a, b, c), turnOf(a, b, d), turnOf(c, d, a), turnOf(c, d, b)] as const
  if (turns[0] * turns[1] < 0 && turns[2] * turns[3] < 0) return true
  return (
    (turns[0] === 0 && isBetween(a, b, c)) ||
    (turns[1] === 0 && isBetween(a, b, d)) ||
    (turns[2] === 0 && isBetween(c, d, a)) ||
    (turns[3] === 0 && isBetween(c, d, b))
  )
}

/** Whether `point`, which lies on the line through both, lies between them. */
function isBetween(from: Point, to: Point, point: Point): boolean {
  return (
    Math.min(from[0], to[0]) <= point[0] &&
    point[0] <= Math.max(from[0], to[0]) &&
    Math.min(from[1], to[1]) <= point[1] &&
    point[1] <= Math.max(from[1], to[1])
  )
}

/** Area of the polygon. */
export function areaOf(points: readonly Point[]): number {
  let doubled = 0
  for (const [index, [x, y]] of points.entries()) {
    const [nextX, nextY] = points[(index + 1) % points.length]!
    doubled += x * nextY - nextX * y
  }
  return Math.abs(doubled) / 2
}
