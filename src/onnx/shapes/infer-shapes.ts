/**
 * Element types and shapes of all values of a graph, found by walking it once.
 * Invariant: what is reported is certain; values behind an operator without a rule are unknown, never guessed.
 */

import type { Graph, Node, ValueName } from '../graph.js'
import { opsetOf } from '../opset.js'
import type { Tensor } from '../tensor.js'
import { shapeRuleOf } from './rules.js'
import { elementsOfTensor, isStatic, type RuleContext, type ValueType } from './shape-rule.js'

export interface Shapes {
  /** What is known of a value; undefined where nothing is. */
  typeOf(value: ValueName): ValueType | undefined
  /** The dimensions of a value where all of them are known numbers. */
  staticShapeOf(value: ValueName): readonly number[] | undefined
  /** Operator types that have no rule, in order of appearance, as `domain:OpType` or `OpType`. */
  readonly withoutRule: readonly string[]
}

const known = new WeakMap<Graph, Shapes>()

/** Infers once per graph. Throws `model.graph_invalid` naming the node whose inputs contradict each other. */
export function shapesOf(graph: Graph): Shapes {
  const cached = known.get(graph)
  if (cached !== undefined) return cached
  const shapes = infer(graph, false)
  known.set(graph, shapes)
  return shapes
}

/** Infers shapes as {@link shapesOf} does, and takes sizes that depend on the data as large as they can be: what a graph needs at most. */
export function largestShapesOf(graph: Graph): Shapes {
  return infer(graph, true)
}

function infer(graph: Graph, takesLargest: boolean): Shapes {
  const types = new Map<ValueName, ValueType>()
  const withoutRule = new Set<string>()
  for (const { name, type, shape } of graph.inputs) types.set(name, { type, shape })
  for (const [name, tensor] of graph.initializers) types.set(name, typeOfTensor(tensor))
  for (const node of graph.nodes) {
    const rule = shapeRuleOf(node.domain, node.opType)
    if (rule === undefined) {
      withoutRule.add(node.domain === '' ? node.opType : `${node.domain}:${node.opType}`)
      continue
    }
    const results = rule(contextOf(graph, node, types, takesLargest))
    node.outputs.forEach((output, index) => {
      const result = results[index]
      if (output !== '' && result !== undefined) types.set(output, result)
    })
  }
  return {
    typeOf: (value) => types.get(value),
    staticShapeOf: (value) => {
      const shape = types.get(value)?.shape
      return isStatic(shape) ? shape : undefined
    },
    withoutRule: [...withoutRule],
  }
}

function typeOfTensor(tensor: Tensor): ValueType {
  const elements = elementsOfTensor(tensor)
  return { type: tensor.type, shape: tensor.dims, ...(elements === undefined ? {} : { elements }) }
}

function contextOf(
  graph: Graph,
  node: Node,
  types: ReadonlyMap<ValueName, ValueType>,
  takesLargest: boolean,
): RuleContext {
  const nameOf = (index: number): ValueName => node.inputs[index] ?? ''
  return {
    node,
    opset: opsetOf(graph, node.domain),
    takesLargest,
    input: (index) => types.get(nameOf(index)),
    constant: (index) => graph.initializers.get(nameOf(index)),
  }
}
