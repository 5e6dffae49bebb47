/**
 * The geometry of fitting a picture into the model's input: scale to fit, centre, pad with grey.
 * Invariant: the numbers agree with Ultralytics' LetterBox (auto off, scale-up on, centred): what a model was trained with.
 */

import { roundHalfToEven } from '../base/numeric.js'

/** The pad colour, 0..255 in each channel. */
export const letterboxPad = 114

export interface Letterbox {
  /** Size of the original picture, pixels. */
  readonly sourceWidth: number
  readonly sourceHeight: number
  /** Size of the model's input, pixels. */
  readonly inputWidth: number
  readonly inputHeight: number
  /** Input pixels per source pixel. */
  readonly scale: number
  /** Size of the scaled picture inside the input, whole pixels. */
  readonly scaledWidth: number
  readonly scaledHeight: number
  /** Where the scaled picture starts inside the input, whole pixels. */
  readonly padLeft: number
  readonly padTop: number
}

/**
 * The letterbox of a picture of the given size in an input of the given size. All sizes are positive whole pixels.
 * A picture so thin that a side would vanish keeps one pixel of it.
 */
export function letterbox(
  source: { readonly width: number; readonly height: number },
  input: { readonly width: number; readonly height: number },
): Letterbox {
  const scale = Math.min(input.height / source.height, input.width / source.width)
  const scaledWidth = Math.max(1, roundHalfToEven(source.width * scale))
  const scaledHeight = Math.max(1, roundHalfToEven(source.height * scale))
  return {
    sourceWidth: source.width,
    sourceHeight: source.height,
    inputWidth: input.width,
    inputHeight: input.height,
    scale,
    scaledWidth,
    scaledHeight,
    // An odd rest puts its last pixel to the right and below.
    padLeft: Math.floor((input.width - scaledWidth) / 2),
    padTop: Math.floor((input.height - scaledHeight) / 2),
  }
}
