/**
 * Plans pictures of parts on a conveyor: what lies where, in which light.
 * Invariant: a scene follows from its seed alone and is plain data; places are shares of the picture's shorter side.
 */

import { type Random, seededRandom } from '../../base/random.js'
import { type PartTraits, partNames } from './part-shapes.js'

export type Color = readonly [red: number, green: number, blue: number]

export interface ScenePart {
  /** The kind of the part, as an index into the names of parts. */
  readonly classIndex: number
  readonly traits: PartTraits
  /** The center and the radius of the circle around the part. */
  readonly x: number
  readonly y: number
  readonly radius: number
  /** How far the part is turned, radians. */
  readonly angle: number
  readonly color: Color
  /** How much the bevel of the edge catches light, 0..1. */
  readonly gloss: number
}

/** Dirt and chips: things that are no parts. */
export interface SceneClutter {
  readonly x: number
  readonly y: number
  readonly halfLength: number
  readonly halfWidth: number
  readonly angle: number
  readonly color: Color
  readonly opacity: number
}

export interface Scene {
  readonly seed: number
  /** Width over height of what is planned. */
  readonly aspect: number
  readonly parts: readonly ScenePart[]
  readonly clutter: readonly SceneClutter[]
  readonly belt: {
    readonly color: Color
    /** How strongly the rubber is mottled, 0..1. */
    readonly texture: number
    /** Lines across the belt, distance and strength. */
    readonly ribs: number
    readonly ribStrength: number
    readonly angle: number
  }
  readonly light: {
    /** Direction from which it comes, radians, and how uneven it is, 0..1. */
    readonly angle: number
    readonly slope: number
    readonly level: number
    readonly tint: Color
    /** Offset of shadows, softness and darkness. */
    readonly shadowLength: number
    readonly shadowSoftness: number
    readonly shadowDepth: number
  }
  /** Standard deviation of the sensor's noise, 0..255. */
  readonly noise: number
  /** Blur of the lens and of motion, as shares of the side. */
  readonly blur: number
}

const belts: readonly Color[] = [
  [52, 54, 58],
  [38, 62, 50],
  [96, 98, 96],
  [44, 58, 92],
  [142, 136, 120],
  [70, 50, 44],
]
const metals: readonly Color[] = [
  [178, 182, 188],
  [150, 152, 156],
  [206, 206, 204],
  [186, 152, 84],
  [176, 118, 84],
  [92, 92, 98],
]

/** Plans the picture number `seed`. */
export function planScene(seed: number, aspect = 1): Scene {
  const random = seededRandom(seed * 2654435761)
  const uniform = (low: number, high: number): number => low + (high - low) * random.next()
  const clutterCount = random.integer(9)
  return {
    seed,
    aspect,
    parts: planParts(random, aspect),
    clutter: Array.from({ length: clutterCount }, () => ({
      x: uniform(0, aspect),
      y: uniform(0, 1),
      halfLength: uniform(0.005, 0.05),
      halfWidth: uniform(0.003, 0.012),
      angle: uniform(0, Math.PI),
      color: shifted([90, 84, 76], random, 60),
      opacity: uniform(0.2, 0.9),
    })),
    belt: {
      color: shifted(pick(belts, random), random, 14),
      texture: uniform(0.02, 0.16),
      ribs: uniform(0.08, 0.3),
      ribStrength: random.next() < 0.5 ? 0 : uniform(0.05, 0.25),
      angle: uniform(-0.2, 0.2) + (random.next() < 0.5 ? 0 : Math.PI / 2),
    },
    light: {
      angle: uniform(0, 2 * Math.PI),
      slope: uniform(0, 0.45),
      level: uniform(0.62, 1.25),
      tint: [uniform(0.9, 1.08), 1, uniform(0.88, 1.1)],
      shadowLength: uniform(0.004, 0.035),
      shadowSoftness: uniform(0.008, 0.04),
      shadowDepth: uniform(0.2, 0.65),
    },
    noise: uniform(1, 10),
    blur: random.next() < 0.6 ? 0 : uniform(0.001, 0.006),
  }
}

function planParts(random: Random, aspect: number): readonly ScenePart[] {
  const uniform = (low: number, high: number): number => low + (high - low) * random.next()
  const wanted = 1 + random.integer(8)
  // Most pictures have one distance of the camera; single parts differ from it by a third.
  const size = uniform(0.07, 0.17)
  const parts: ScenePart[] = []
  for (let attempt = 0; attempt < 6 * wanted && parts.length < wanted; attempt++) {
    const part: ScenePart = {
      classIndex: random.integer(partNames.length),
      traits: { slimness: random.next(), count: random.next(), bore: random.next() },
      x: uniform(-0.02, aspect + 0.02),
      y: uniform(-0.02, 1.02),
      radius: size * uniform(0.72, 1.35),
      angle: uniform(0, 2 * Math.PI),
      color: shifted(pick(metals, random), random, 22),
      gloss: uniform(0.2, 1),
    }
    // Parts may lie on each other, but not in the same place.
    const room = uniform(0.62, 1.1)
    const isFree = parts.every(
      (other) => Math.hypot(part.x - other.x, part.y - other.y) > room * (part.radius + other.radius),
    )
    if (isFree) parts.push(part)
  }
  return parts
}

function pick(colors: readonly Color[], random: Random): Color {
  return colors[random.integer(colors.length)]!
}

function shifted(color: Color, random: Random, most: number): Color {
  const all = (random.next() - 0.5) * most
  const each = (): number => all + (random.next() - 0.5) * 0.5 * most
  return [color[0] + each(), color[1] + each(), color[2] + each()]
}
