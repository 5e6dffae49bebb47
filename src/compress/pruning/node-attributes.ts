/** Typed reads of node attributes. Invariant: an absent attribute is undefined; an int reads as a list of one. */

import type { Node } from '../../onnx/graph.js'

/** The integers of an attribute: of an `ints` attribute all, of an `int` attribute the one. */
export function attributeInts(node: Node, name: string): readonly number[] | undefined {
  const attribute = node.attributes.get(name)
  if (attribute?.kind === 'ints') return attribute.value
  return attribute?.kind === 'int' ? [attribute.value] : undefined
}

/** The integer of an attribute, or `otherwise` where it is absent. */
export function attributeInt(node: Node, name: string, otherwise: number): number {
  return attributeInts(node, name)?.[0] ?? otherwise
}
