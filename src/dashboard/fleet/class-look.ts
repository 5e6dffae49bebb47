/** How a class is shown. Invariant: a class has the same colour on every device and in every session. */

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

/** The colour of a class, as CSS has it. */
export function classColor(classIndex: number): string {
  return palette[classIndex % palette.length]!
}

/** The name of a class, or its number where the names are not known. */
export function classLabel(classIndex: number, classNames: readonly string[]): string {
  return classNames[classIndex]?.slice(0, 40) ?? `class ${classIndex}`
}
