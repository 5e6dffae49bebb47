/** How a class is named where its objects are shown. */

import type { FoundObject } from '../../protocol/detections.js'

/** The name of an object's class: as its message says, else as the model's manifest does, else its number. */
export function classLabel(
  { classIndex, className }: Pick<FoundObject, 'classIndex' | 'className'>,
  classNames: readonly string[],
): string {
  return (className ?? classNames[classIndex])?.slice(0, 40) ?? `class ${classIndex}`
}
