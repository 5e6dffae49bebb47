/**
 * Finds the feature maps that a detector's head reads: one for each level.
 * Invariant: found by structure, so pruned and re-exported graphs serve as well.
 *
 *      ... neck --- feature map --- Conv, SiLU, Conv, SiLU --- box logits
 *                              \--- Conv, SiLU, Conv, SiLU --- class logits
 */

import { AgentError } from '../base/errors.js'
import { type Graph, indexOf, type ValueName } from '../onnx/graph.js'

/** For each level the last value that both its branches are computed from. Throws `model.not_yolov8`. */
export function neckValues(
  graph: Graph,
  levels: readonly { readonly box: ValueName; readonly cls: ValueName }[],
): readonly ValueName[] {
  return levels.map(({ box, cls }) => {
    const ofClasses = new Set(ancestors(graph, cls))
    const shared = ancestors(graph, box).find((value) => ofClasses.has(value))
    if (shared !== undefined) return shared
    throw new AgentError(
      'model.not_yolov8',
      `the outputs ${box} and ${cls} have nothing in common, expected two branches of one feature map`,
    )
  })
}

/** What `value` is computed from, the nearest first; constants are left out. */
function ancestors(graph: Graph, value: ValueName): readonly ValueName[] {
  const { producerOf } = indexOf(graph)
  const found = new Set([value])
  for (const each of found) {
    for (const input of producerOf(each)?.inputs ?? [])
      if (input !== '' && !graph.initializers.has(input)) found.add(input)
  }
  return [...found]
}
