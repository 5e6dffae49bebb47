/**
 * The parts on the conveyor: what is inside of each outline, and how bright its surface is.
 * Invariant: a shape lies within the unit circle of its own coordinates; distances are negative inside.
 */

export const partNames = ['bolt', 'nut', 'washer', 'gear', 'spring', 'bearing'] as const
export type PartName = (typeof partNames)[number]

/** What varies between two parts of a kind, each 0..1. */
export interface PartTraits {
  readonly slimness: number
  readonly count: number
  readonly bore: number
}

export interface PartShape {
  /** Signed distance of a point to the outline, negative inside (an approximation that is right near the outline). */
  distance(u: number, v: number): number
  /** Brightness of the surface, about 1. */
  shade(u: number, v: number): number
}

type ShapeOf = (traits: PartTraits) => PartShape

function between(low: number, high: number, share: number): number {
  return low + (high - low) * share
}

function rectangle(u: number, v: number, halfWidth: number, halfHeight: number): number {
  const [x, y] = [Math.abs(u) - halfWidth, Math.abs(v) - halfHeight]
  return x > 0 && y > 0 ? Math.hypot(x, y) : Math.max(x, y)
}

/** Seen from the side: a head and a threaded shaft. */
const bolt: ShapeOf = ({ slimness, count, bore }) => {
  const headLength = between(0.1, 0.16, bore)
  const headHalf = between(0.26, 0.38, slimness)
  const shaftHalf = headHalf * 0.48
  const turns = between(24, 40, count)
  const headAt = -1 + headLength
  return {
    distance: (u, v) =>
      Math.min(
        rectangle(u - headAt, v, headLength, headHalf),
        rectangle(u - headLength, v, 1 - headLength, shaftHalf),
      ),
    shade: (u, v) => {
      if (u < headAt + headLength) return Math.abs(v) > headHalf * 0.5 ? 0.72 : 1.12
      const round = 1.15 - 0.6 * (v / shaftHalf) ** 2
      return round * (u > -0.35 ? 1 + 0.28 * Math.sin(turns * u + 3 * v) : 1)
    },
  }
}

function hexagon(u: number, v: number, inner: number): number {
  const [x, y] = [Math.abs(u), Math.abs(v)]
  return Math.max(x, 0.5 * x + 0.8660254 * y) - inner
}

const nut: ShapeOf = ({ bore, slimness }) => {
  const hole = between(0.4, 0.54, bore)
  const chamfer = between(0.78, 0.86, slimness)
  return {
    distance: (u, v) => Math.max(hexagon(u, v, 0.866), hole - Math.hypot(u, v)),
    shade: (u, v) => {
      const radius = Math.hypot(u, v)
      if (radius > chamfer) return 0.72
      return radius < hole + 0.1 ? 0.6 + 0.3 * Math.sin(40 * radius) : 1.05
    },
  }
}

const washer: ShapeOf = ({ bore }) => {
  const hole = between(0.45, 0.66, bore)
  return {
    distance: (u, v) => {
      const radius = Math.hypot(u, v)
      return Math.max(radius - 1, hole - radius)
    },
    shade: (u, v) => 1 + 0.12 * Math.sin(3 * Math.atan2(v, u)),
  }
}

const gear: ShapeOf = ({ count, bore, slimness }) => {
  const teeth = Math.round(between(9, 16, count))
  const hole = between(0.14, 0.3, bore)
  const root = between(0.74, 0.8, slimness)
  const middle = (1 + root) / 2
  return {
    distance: (u, v) => {
      const radius = Math.hypot(u, v)
      const tooth = Math.max(-1, Math.min(1, 2.4 * Math.sin(teeth * Math.atan2(v, u))))
      return Math.max(0.85 * (radius - middle - (1 - middle) * tooth), hole - radius)
    },
    shade: (u, v) => {
      const radius = Math.hypot(u, v)
      if (radius > root * 0.92) return 0.85
      return radius > 0.5 && radius < 0.62 ? 0.7 : 1.05
    },
  }
}

/** Seen from the side: a wave of wire. */
const spring: ShapeOf = ({ count, slimness, bore }) => {
  const turns = Math.PI * Math.round(between(7, 13, count))
  const amplitude = between(0.26, 0.4, slimness)
  const wire = between(0.045, 0.07, bore)
  const length = 0.9
  return {
    distance: (u, v) => {
      const along = Math.max(-length, Math.min(length, u))
      const slope = amplitude * turns * Math.cos(turns * along)
      const off = (v - amplitude * Math.sin(turns * along)) / Math.sqrt(1 + slope * slope)
      // At the turns the wire is thicker than the slope makes it.
      const inside = Math.max(Math.abs(v) - amplitude - wire, Math.abs(u) - length - wire)
      return Math.max(Math.hypot(off, u - along) - wire, inside)
    },
    shade: (u, v) => (Math.cos(turns * u) > 0 ? 1.15 : 0.6) * (1 - 0.5 * Math.abs(v)),
  }
}

/** Two rings with balls between them. */
const bearing: ShapeOf = ({ count, bore }) => {
  const balls = Math.round(between(7, 11, count))
  const hole = between(0.26, 0.36, bore)
  const inner = hole + 0.16
  const outer = 0.8
  const track = (inner + outer) / 2
  const ball = Math.min((outer - inner) / 2, (Math.PI * track) / balls) * 0.95
  return {
    distance: (u, v) => {
      const radius = Math.hypot(u, v)
      return Math.max(radius - 1, hole - radius)
    },
    shade: (u, v) => {
      const radius = Math.hypot(u, v)
      if (radius > outer || radius < inner) return 1.05
      const step = (2 * Math.PI) / balls
      const angle = Math.round(Math.atan2(v, u) / step) * step
      const off = Math.hypot(u - track * Math.cos(angle), v - track * Math.sin(angle)) / ball
      return off < 1 ? 1.25 - 0.7 * off * off : 0.3
    },
  }
}

const shapes: Readonly<Record<PartName, ShapeOf>> = { bolt, nut, washer, gear, spring, bearing }

export function partShape(name: PartName, traits: PartTraits): PartShape {
  return shapes[name](traits)
}
