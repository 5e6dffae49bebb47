/** How a class is shown. Invariant: a class has the same color on every device and in every session. */

import type { FoundObject } from '../../protocol/detections.js'

/** Bright enough for dark letters on them, and for a line on most pictures. */
const palette = [
  '#5ee0b5',
  '#ffb454',
  '#7cc4ff',
  '#ff8fa3',
  '#d6e35c',
  '#c7a6ff',
  '#4fe3e8',
  '#ffa27a',
  '#8ee06a',
  '#f49be0',
  '#ffd75e',
  '#9fb4ff',
] as const

/** The color of a class, as CSS has it. */
export function classColor(classIndex: number): string {
  return palette[classIndex % palette.length]!
}

/** The name of an object's class: as its message says, else as the model's manifest does, else its number. */
export function classLabel(
  { classIndex, className }: Pick<FoundObject, 'classIndex' | 'className'>,
  classNames: readonly string[],
): string {
  return (className ?? classNames[classIndex])?.slice(0, 40) ?? `class ${classIndex}`
}
