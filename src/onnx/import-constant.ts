/**
 * Constant nodes as initializers, so that the rest of the compiler knows one kind of constant only.
 * Invariant: a Constant node stays only where its value is no tensor that Graph can hold (strings, sparse tensors).
 */

import { floatOf, floatsOf, intOf, intsOf, tensorOf } from './attributes.js'
import type { Node, ValueName } from './graph.js'
import { floatTensor, int64Tensor, type Tensor } from './tensor.js'

/** Moves the values of Constant nodes into `initializers`; returns the other nodes. */
export function constantsToInitializers(
  nodes: readonly Node[],
  initializers: Map<ValueName, Tensor>,
): readonly Node[] {
  return nodes.filter((node) => {
    const output = node.outputs[0] ?? ''
    if (node.opType !== 'Constant' || node.domain !== '' || output === '' || initializers.has(output))
      return true
    const value = constantValue(node)
    if (value === undefined) return true
    initializers.set(output, value)
    return false
  })
}

function constantValue(node: Node): Tensor | undefined {
  if (node.attributes.has('value')) return tensorOf(node, 'value')
  if (node.attributes.has('value_float')) return floatTensor([], [floatOf(node, 'value_float', 0)])
  if (node.attributes.has('value_int')) return int64Tensor([], [intOf(node, 'value_int', 0)])
  const floats = floatsOf(node, 'value_floats')
  if (floats !== undefined) return floatTensor([floats.length], floats)
  const ints = intsOf(node, 'value_ints')
  return ints === undefined ? undefined : int64Tensor([ints.length], ints)
}
