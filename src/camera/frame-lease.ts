/** A frame in the hands of its consumer. Invariant: its pixels do not change until it is released. */

import type { Letterbox } from '../yolo/letterbox.js'

/** A frame on loan. Its pixels do not change until release. */
export interface FrameLease {
  /** Rises by one with each captured frame; gaps are dropped frames. */
  readonly frameId: number
  /** Wall time at which the frame reached this process, milliseconds. */
  readonly capturedAtMs: number
  /** uint8 RGB `[inputHeight, inputWidth, 3]`, letterboxed, at `byteOffset`. */
  readonly pixels: SharedArrayBuffer
  readonly byteOffset: number
  readonly byteLength: number
  readonly letterbox: Letterbox
  /** Gives the memory back; call exactly once. */
  release(): void
}
