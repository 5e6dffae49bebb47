/**
 * From a forward graph to a graph that also computes gradients: reverse-mode differentiation, one rule per operator.
 * Invariant: the result holds standard operators only, and of the forward pass only what the gradients need.
 */

import { invariant } from '../../base/assert.js'
import { AgentError } from '../../base/errors.js'
import { type Graph, indexOf, type Node, type ValueInfo, type ValueName } from '../../onnx/graph.js'
import { topologicalOrder } from '../../onnx/patch.js'
import { shapesOf } from '../../onnx/shapes/infer-shapes.js'
import type { Gradient, GradientContext, InputGradients } from './gradient-rule.js'
import { GradientWriter } from './gradient-writer.js'
import { gradientRules } from './rules.js'

/** How the input for the gradient of an output is called. */
export function seedName(output: ValueName): ValueName {
  return `seed:${output}`
}

/** How the output with the gradient of a value is called. */
export function gradientName(value: ValueName): ValueName {
  return `gradient:${value}`
}

/**
 * A graph that computes for each of `values` (initializers, inputs or inner values of a graph in training form, shapes fixed) the gradient
 * of sum(seed * output). Inputs: those of `graph` and `seed:<output>` for each output; outputs: `gradient:<value>`, and the values `keep` as
 * they are. Throws `model.op_unsupported` naming the operator that has no rule.
 */
export function differentiate(
  graph: Graph,
  values: readonly ValueName[],
  keep: readonly ValueName[] = [],
): Graph {
  const pass = new BackwardPass(graph, values)
  const gradients = pass.run()
  const writer = pass.writer
  const outputs: ValueInfo[] = values.map((value) => {
    const shape = pass.shapeOf(value)
    const source = gradients(value) ?? writer.zeros(shape)
    writer.nodes.push({
      name: gradientName(value),
      opType: 'Identity',
      domain: '',
      inputs: [source],
      outputs: [gradientName(value)],
      attributes: new Map(),
    })
    return { name: gradientName(value), type: 'float32', shape }
  })
  for (const name of keep) outputs.push({ name, type: 'float32', shape: pass.shapeOf(name) })
  const seeds = graph.outputs.map(({ name }): ValueInfo => ({
    name: seedName(name),
    type: 'float32',
    shape: pass.shapeOf(name),
  }))
  return pruned({
    ...graph,
    inputs: [...graph.inputs, ...seeds],
    outputs,
    nodes: [...graph.nodes, ...writer.nodes],
    initializers: new Map([...graph.initializers, ...writer.initializers]),
    carried: undefined,
  })
}

/** The graph with those initializers as inputs instead. */
export function initializersAsInputs(graph: Graph, names: readonly ValueName[]): Graph {
  const initializers = new Map(graph.initializers)
  const inputs = names.map((name): ValueInfo => {
    const tensor = initializers.get(name)
    invariant(tensor !== undefined, `${name} is an initializer`)
    initializers.delete(name)
    return { name, type: tensor.type, shape: tensor.dims }
  })
  return { ...graph, inputs: [...graph.inputs, ...inputs], initializers, carried: undefined }
}

/** `graph` without the nodes, initializers and inputs that no output depends on. */
export function pruned(graph: Graph): Graph {
  const { producerOf } = indexOf(graph)
  const needed = new Set<Node>()
  const read = new Set<ValueName>(graph.outputs.map((output) => output.name))
  for (const value of read) {
    const node = producerOf(value)
    if (node === undefined || needed.has(node)) continue
    needed.add(node)
    for (const input of node.inputs) read.add(input)
  }
  const inputs = graph.inputs.filter((input) => read.has(input.name))
  const initializers = new Map([...graph.initializers].filter(([name]) => read.has(name)))
  const given = [...inputs.map((input) => input.name), ...initializers.keys()]
  const nodes = topologicalOrder(
    graph.nodes.filter((node) => needed.has(node)),
    given,
  )
  return { ...graph, inputs, initializers, nodes }
}

class BackwardPass {
  readonly writer = new GradientWriter()
  readonly #graph: Graph
  /** Values that the wanted ones have an influence on, the wanted ones included. */
  readonly #dependent: Set<ValueName>
  readonly #contributions = new Map<ValueName, Gradient[]>()
  readonly #loose = new Map<ValueName, Gradient>()
  readonly #full = new Map<ValueName, ValueName>()

  constructor(graph: Graph, values: readonly ValueName[]) {
    this.#graph = graph
    this.#dependent = new Set(values)
    for (const node of graph.nodes) {
      if (!node.inputs.some((input) => this.#dependent.has(input))) continue
      for (const output of node.outputs) if (output !== '') this.#dependent.add(output)
    }
  }

  /** Writes all backward nodes; the result gives the gradient of a value, where the outputs depend on it. */
  run(): (value: ValueName) => ValueName | undefined {
    for (const { name } of this.#graph.outputs) this.#contribute(name, seedName(name))
    for (const node of this.#graph.nodes.toReversed()) {
      const isReached = node.outputs.some((output) => this.#contributions.has(output))
      if (!isReached || !node.outputs.some((output) => this.#dependent.has(output))) continue
      const results = this.#gradientsOf(node)
      for (const [index, input] of node.inputs.entries()) {
        const result = results[index]
        if (result !== undefined && this.#dependent.has(input)) this.#contribute(input, result)
      }
    }
    return (value) => this.#fullGradient(value)
  }

  shapeOf(value: ValueName): readonly number[] {
    const shape = shapesOf(this.#graph).staticShapeOf(value)
    if (shape !== undefined) return shape
    throw new AgentError(
      'model.op_unsupported',
      `the gradient needs the shape of ${value}, which is not fixed`,
    )
  }

  #gradientsOf(node: Node): InputGradients {
    const rule = node.domain === '' ? gradientRules.get(node.opType) : undefined
    if (rule === undefined) {
      throw new AgentError(
        'model.op_unsupported',
        `operator ${node.opType} of node ${node.name} has no gradient`,
      )
    }
    return rule(this.#contextOf(node))
  }

  #contextOf(node: Node): GradientContext {
    const index = indexOf(this.#graph)
    return {
      node,
      writer: this.writer,
      needs: (at) => this.#dependent.has(node.inputs[at] ?? ''),
      shapeOf: (value) => this.shapeOf(value),
      constantOf: (value) => this.#graph.initializers.get(value),
      gradient: (at = 0) => this.#fullGradient(node.outputs[at] ?? ''),
      looseGradient: (at = 0) => this.#looseGradient(node.outputs[at] ?? ''),
      producerOf: (value) => index.producerOf(value),
    }
  }

  #contribute(value: ValueName, gradient: Gradient | ValueName): void {
    const known = typeof gradient === 'string' ? { name: gradient, shape: this.shapeOf(value) } : gradient
    const list = this.#contributions.get(value)
    if (list === undefined) this.#contributions.set(value, [known])
    else list.push(known)
  }

  #looseGradient(value: ValueName): Gradient | undefined {
    const cached = this.#loose.get(value)
    if (cached !== undefined) return cached
    const parts = this.#contributions.get(value)
    if (parts === undefined) return undefined
    const rank = this.shapeOf(value).length
    const shape = Array.from({ length: rank }, (_, axis) =>
      Math.max(...parts.map((part) => part.shape[axis - rank + part.shape.length] ?? 1)),
    )
    const gradient = { name: this.writer.sum(parts.map((part) => part.name)), shape }
    this.#loose.set(value, gradient)
    return gradient
  }

  #fullGradient(value: ValueName): ValueName | undefined {
    const cached = this.#full.get(value)
    if (cached !== undefined) return cached
    const loose = this.#looseGradient(value)
    if (loose === undefined) return undefined
    const shape = this.shapeOf(value)
    const isFull =
      shape.length === loose.shape.length && shape.every((size, axis) => size === loose.shape[axis])
    const name = isFull ? loose.name : this.writer.op('Expand', [loose.name, this.writer.ints(shape)])
    this.#full.set(value, name)
    return name
  }
}
