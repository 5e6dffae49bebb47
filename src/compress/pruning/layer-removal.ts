/**
 * Whole-layer removal: taking the branch of a residual addition out.
 * Before: y = x + branch(x). After: y = x; the branch is gone.
 * A Concat that held y next to x now holds x twice; both places belong to the same channel groups from then on.
 * Invariant: the new graph computes what the old one computes with the branch answering zero.
 */

import { AgentError } from '../../base/errors.js'
import { type Graph, type GraphIndex, indexOf, type Node, type ValueName } from '../../onnx/graph.js'
import { applyPatch } from '../../onnx/patch.js'

/** A residual addition whose branch can go. */
export interface ResidualBlock {
  /** The Add node. */
  readonly add: Node
  /** The value that goes round the branch. */
  readonly skip: ValueName
  readonly branch: ReadonlySet<Node>
}

/** The residual blocks of a graph, in order. */
export function findResidualBlocks(graph: Graph): readonly ResidualBlock[] {
  const index = indexOf(graph)
  return graph.nodes.flatMap((add) => {
    if (add.opType !== 'Add' || add.inputs.length !== 2) return []
    for (const [skip, end] of [add.inputs, [...add.inputs].reverse()] as [ValueName, ValueName][]) {
      const branch = branchBetween(graph, index, skip, end)
      if (branch !== undefined && privateTo(index, branch, add)) return [{ add, skip, branch }]
    }
    return []
  })
}

/** The graph without the named residual blocks. Throws `compress.plan_invalid` for a name that is none. */
export function removeResidualBlocks(graph: Graph, names: readonly string[]): Graph {
  let current = graph
  for (const name of names) {
    const blocks = findResidualBlocks(current)
    const block = blocks.find(({ add }) => add.name === name)
    if (block === undefined) {
      throw new AgentError(
        'compress.plan_invalid',
        `removing the block ${name} is not possible: the residual blocks of this graph are ` +
          (blocks.length === 0 ? 'none' : blocks.map(({ add }) => add.name).join(', ')),
      )
    }
    current = applyPatch(current, {
      remove: [block.add, ...block.branch],
      rewire: new Map([[block.add.outputs[0]!, block.skip]]),
    })
  }
  return current
}

function branchBetween(
  graph: Graph,
  index: GraphIndex,
  start: ValueName,
  end: ValueName,
): ReadonlySet<Node> | undefined {
  const branch = new Set<Node>()
  const open = [end]
  while (open.length > 0) {
    const value = open.pop()!
    if (value === start || value === '' || graph.initializers.has(value)) continue
    const node = index.producerOf(value)
    if (node === undefined || branch.size > 16) return undefined
    if (branch.has(node)) continue
    branch.add(node)
    open.push(...node.inputs)
  }
  const convolutions = [...branch].filter((node) => node.opType === 'Conv')
  return convolutions.length > 0 ? branch : undefined
}

/** Whether nothing but the branch and its addition reads what the branch computes. */
function privateTo(index: GraphIndex, branch: ReadonlySet<Node>, add: Node): boolean {
  return [...branch].every((node) =>
    node.outputs.every(
      (output) =>
        !index.isOutput(output) && index.usersOf(output).every((user) => user === add || branch.has(user)),
    ),
  )
}
