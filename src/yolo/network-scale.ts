/**
 * The sizes of YOLOv8's family: how deep and wide each member is.
 * Source: the published model description yolov8.yaml (depth multiple, width multiple, largest channel count).
 * Invariant: channel counts are multiples of 8.
 */

export interface NetworkScale {
  /** Times the repeats of each C2f block. */
  readonly depth: number
  /** Times the channels of each layer. */
  readonly width: number
  /** Channels before the width multiple are at most this. */
  readonly channelsMax: number
}

/** The published members n to x, and p, half as wide as n, for narrow tasks on small devices. */
export const networkScales = {
  p: { depth: 0.33, width: 0.125, channelsMax: 1024 },
  n: { depth: 0.33, width: 0.25, channelsMax: 1024 },
  s: { depth: 0.33, width: 0.5, channelsMax: 1024 },
  m: { depth: 0.67, width: 0.75, channelsMax: 768 },
  l: { depth: 1, width: 1, channelsMax: 512 },
  x: { depth: 1, width: 1.25, channelsMax: 512 },
} as const satisfies Readonly<Record<string, NetworkScale>>

export type NetworkScaleName = keyof typeof networkScales

/** The channels of a layer that has `channels` at width 1, rounded up to a multiple of 8. */
export function scaledChannels(scale: NetworkScale, channels: number): number {
  return Math.ceil((Math.min(channels, scale.channelsMax) * scale.width) / 8) * 8
}

/** The repeats of a block that has `repeats` at depth 1; at least one. Halves go to the even number, as in Python. */
export function scaledRepeats(scale: NetworkScale, repeats: number): number {
  const exact = repeats * scale.depth
  const floor = Math.floor(exact)
  const rounded = exact - floor === 0.5 ? floor + (floor % 2) : Math.round(exact)
  return Math.max(1, rounded)
}
