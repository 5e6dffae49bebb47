/**
 * Which output places of a convolution are looked at in each calibration image.
 * Invariant: a place depends only on the seed, the image and the size of the map, so that two graphs are compared at
 * the same places.
 */

import { seededRandom } from '../../base/random.js'

/** Distinct places (flat indexes, rising) of a map with `size` places: all of them when `count` is not smaller. */
export function samplePlaces(size: number, count: number, seed: number): Uint32Array {
  if (count >= size) return Uint32Array.from({ length: size }, (_, at) => at)
  const random = seededRandom(seed)
  const chosen = new Set<number>()
  while (chosen.size < count) chosen.add(random.integer(size))
  return Uint32Array.from(chosen).sort()
}

/** How many places an image gives so that `images` of them over-determine `unknowns` by `factor`, within limits. */
export function placesPerImage(unknowns: number, images: number, factor: number): number {
  return Math.min(400, Math.max(96, Math.ceil((factor * unknowns) / images)))
}
