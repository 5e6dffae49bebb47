/**
 * Where the picture enters the graph as bytes.
 * Invariant: the found value is exactly `byte * scale`, so its integers are the bytes of the picture themselves.
 *
 *      images uint8 [1,H,W,3] -- Cast, Mul or Div by a constant, Transpose to [1,3,H,W] in any order -- value
 */

import { intsOf } from '../../onnx/attributes.js'
import { type Graph, indexOf, type Node, type ValueName } from '../../onnx/graph.js'

export interface ImageInput {
  /** The graph's uint8 input. */
  readonly input: ValueName
  /** The float value `[1, 3, H, W]` that the network reads. */
  readonly value: ValueName
  /** What one step of a byte is worth. */
  readonly scale: number
  /** The nodes between the two. */
  readonly nodes: readonly Node[]
}

/** The picture input of a graph in edge form; undefined where the graph takes something else. */
export function findImageInput(graph: Graph): ImageInput | undefined {
  const [input] = graph.inputs
  if (graph.inputs.length !== 1 || input?.type !== 'uint8' || input.shape.length !== 4) return undefined
  const index = indexOf(graph)
  const nodes: Node[] = []
  let value = input.name
  let scale = 1
  let channelsFirst = false
  for (;;) {
    const users = index.usersOf(value)
    const [node] = users
    if (users.length !== 1 || node === undefined || index.isOutput(value)) break
    const factor = factorOf(graph, node, value)
    if (factor === undefined) break
    if (node.opType === 'Transpose') channelsFirst = true
    nodes.push(node)
    scale *= factor
    value = node.outputs[0]!
  }
  return channelsFirst && scale > 0 ? { input: input.name, value, scale, nodes } : undefined
}

/** What `node` multiplies the bytes by; undefined where it is no step from bytes to the network's input. */
function factorOf(graph: Graph, node: Node, value: ValueName): number | undefined {
  if (node.opType === 'Cast') return 1
  if (node.opType === 'Transpose') return intsOf(node, 'perm')?.join() === '0,3,1,2' ? 1 : undefined
  if (node.opType !== 'Mul' && node.opType !== 'Div') return undefined
  const position = node.inputs[0] === value ? 1 : 0
  if (node.opType === 'Div' && position === 0) return undefined
  const tensor = graph.initializers.get(node.inputs[position] ?? '')
  if (tensor?.type !== 'float32' || tensor.data.length !== 1) return undefined
  return node.opType === 'Mul' ? tensor.data[0]! : 1 / tensor.data[0]!
}
