/** How model files are packed for the way. Invariant: the same bytes pack to the same bytes. */

import { type BrotliOptions, constants } from 'node:zlib'

/** Above this the better quality of brotli takes many seconds for less than one per cent. */
const slowAboveBytes = 8_000_000

export function packOptions(sizeBytes: number): BrotliOptions {
  return {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: sizeBytes > slowAboveBytes ? 5 : 9,
      [constants.BROTLI_PARAM_SIZE_HINT]: sizeBytes,
    },
  }
}
