/**
 * The color of a class, wherever boxes are drawn: in saved pictures, on the dashboard, in reports.
 * Invariant: a class has the same color on every device and in every session.
 */

/** 0..255 each. */
export interface Color {
  readonly red: number
  readonly green: number
  readonly blue: number
}

/** Bright enough for dark letters on them and for a line on most pictures, and far from each other. */
const chosen = [
  0x5ee0b5, 0xffb454, 0x7cc4ff, 0xff8fa3, 0xd6e35c, 0xc7a6ff, 0x4fe3e8, 0xffa27a, 0x8ee06a, 0xf49be0,
  0xffd75e, 0x9fb4ff,
] as const

/** The color of class `classIndex`, 0..n-1: the first are chosen, those behind them lie a golden angle of hue apart. */
export function classColor(classIndex: number): Color {
  const known = chosen[classIndex]
  if (known !== undefined) return { red: known >> 16, green: (known >> 8) & 0xff, blue: known & 0xff }
  // HSV with a saturation of a half and full value.
  const hue = ((classIndex * 137.508) % 360) / 60
  const channel = (offset: number): number => {
    const position = (offset + hue) % 6
    return Math.round(255 * (1 - 0.5 * Math.max(0, Math.min(position, 4 - position, 1))))
  }
  return { red: channel(5), green: channel(3), blue: channel(1) }
}

/** `#5ee0b5`, as CSS and SVG have it. */
export function cssColor({ red, green, blue }: Color): string {
  return `#${[red, green, blue].map((part) => part.toString(16).padStart(2, '0')).join('')}`
}
