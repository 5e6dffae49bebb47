/** What every kind of source is built from. Invariant: it is complete when the source is built; nothing is looked up later. */

import type { Clock } from '../base/clock.js'
import type { DecoderPreset } from './decoder-presets.js'
import type { FrameMode } from './frame-ring.js'
import type { SourceAddress } from './source-uri.js'

export interface SourceContext {
  readonly address: SourceAddress
  readonly mode: FrameMode
  readonly decoder: DecoderPreset
  /** Frames per second at the most; for pictures and snapshots the rate. */
  readonly fpsMax: number | undefined
  readonly clock: Clock
}
