/**
 * A frame of the ring as a small JPEG.
 * Invariant: only the picture is shown, not the grey around it; the event loop does not wait for the encoder.
 */

import sharp from 'sharp'
import type { FrameLease } from './frame-lease.js'

export interface PreviewOptions {
  /** 1..100. */
  readonly quality: number
  /** Wider pictures are made smaller, pixels. */
  readonly maxWidth: number
}

export const previewDefaults: PreviewOptions = { quality: 70, maxWidth: 640 }

/** Borrows `frame` until the promise settles: release the lease after that. */
export async function encodePreview(
  frame: Pick<FrameLease, 'pixels' | 'byteOffset' | 'byteLength' | 'letterbox'>,
  options: PreviewOptions = previewDefaults,
): Promise<Uint8Array> {
  const { inputWidth, inputHeight, padLeft, padTop, scaledWidth, scaledHeight } = frame.letterbox
  const pixels = new Uint8Array(frame.pixels, frame.byteOffset, frame.byteLength)
  return sharp(pixels, { raw: { width: inputWidth, height: inputHeight, channels: 3 } })
    .extract({ left: padLeft, top: padTop, width: scaledWidth, height: scaledHeight })
    .resize({ width: Math.min(options.maxWidth, scaledWidth) })
    .jpeg({ quality: options.quality })
    .toBuffer()
}
