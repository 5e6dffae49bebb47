/**
 * Which output places of a convolution are looked at in each calibration image: half of them anywhere, half where the
 * detector finds something.
 * Invariant: a place depends only on the seed, the image and the size of the map, so that two graphs are compared at
 * the same places.
 */

import { type Random, seededRandom } from '../../base/random.js'
import type { InterestMap } from './interest.js'

/** How places are drawn. */
export interface SamplingOptions {
  /** Sampled patches for each unknown of a fit, all images together. */
  readonly factor: number
  readonly seed: number
  /** By sample; undefined: every place is as likely. */
  readonly interest: readonly InterestMap[] | undefined
}

/** The seed of one image and map size. */
export function seedOf(
  options: SamplingOptions,
  sample: number,
  map: { readonly height: number; readonly width: number },
): number {
  return options.seed + sample * 7919 + map.height * map.width
}

/** Part of the places that is drawn by interest. */
const interestingPart = 0.5

/**
 * Distinct places (flat indexes, rising) of a map: all of them when `count` is not smaller.
 * @param interest of this image, at any resolution; without it, every place is as likely
 */
export function samplePlaces(
  map: { readonly height: number; readonly width: number },
  count: number,
  seed: number,
  interest?: InterestMap,
): Uint32Array {
  const size = map.height * map.width
  if (count >= size) return Uint32Array.from({ length: size }, (_, at) => at)
  const random = seededRandom(seed)
  const chosen = new Set<number>(
    interest === undefined ? [] : drawn(map, Math.floor(count * interestingPart), interest, random),
  )
  while (chosen.size < count) chosen.add(random.integer(size))
  return Uint32Array.from(chosen).sort()
}

/** Up to `count` places, drawn with the chance that the cell over them has. */
function drawn(
  map: { readonly height: number; readonly width: number },
  count: number,
  interest: InterestMap,
  random: Random,
): ReadonlySet<number> {
  const running = new Float64Array(interest.data.length)
  let total = 0
  interest.data.forEach((weight, at) => {
    total += weight
    running[at] = total
  })
  const places = new Set<number>()
  // A small bright spot may hold fewer places than asked for.
  for (let tries = 0; total > 0 && places.size < count && tries < 4 * count; tries++) {
    const cell = firstAbove(running, random.next() * total)
    const row = (Math.floor(cell / interest.width) + random.next()) * (map.height / interest.height)
    const column = ((cell % interest.width) + random.next()) * (map.width / interest.width)
    places.add(Math.floor(row) * map.width + Math.floor(column))
  }
  return places
}

/** The first index whose running sum is above `value`. */
function firstAbove(running: Float64Array, value: number): number {
  let [low, high] = [0, running.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if (running[middle]! > value) high = middle
    else low = middle + 1
  }
  return low
}

/** How many places an image gives so that `images` of them over-determine `unknowns` by `factor`, within limits. */
export function placesPerImage(unknowns: number, images: number, factor: number): number {
  return Math.min(400, Math.max(96, Math.ceil((factor * unknowns) / images)))
}
