/**
 * From a frame slot to a model's input: the one copy that a frame costs.
 * Invariant: pixels are RGB, row by row, three bytes each; nothing is allocated.
 */

/** Value of each byte as a fraction, rounded to float32 once: what a division of float32 by 255 gives. */
const fractions = Float32Array.from({ length: 256 }, (_, byte) => byte / 255)

/** Fills `target` (3 x `pixelCount` floats: a red, a green and a blue plane, 0..1) from `pixels`. */
export function fillPlanarFloat(target: Float32Array, pixels: Uint8Array, pixelCount: number): void {
  const greenStart = pixelCount
  const blueStart = 2 * pixelCount
  for (let pixel = 0, byte = 0; pixel < pixelCount; pixel++, byte += 3) {
    target[pixel] = fractions[pixels[byte]!]!
    target[greenStart + pixel] = fractions[pixels[byte + 1]!]!
    target[blueStart + pixel] = fractions[pixels[byte + 2]!]!
  }
}
