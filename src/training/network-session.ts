/**
 * A network whose weights are inputs: one graph forward, one backward.
 * Invariant: weights live with the caller; nothing of a step stays here but the two open graphs.
 */

import { present } from '../base/assert.js'
import type { Graph, ValueName } from '../onnx/graph.js'
import { floatTensor, type FloatTensor } from '../onnx/tensor.js'
import {
  differentiate,
  gradientName,
  initializersAsInputs,
  pruned,
  seedName,
} from './gradient/differentiate.js'
import { type BatchStatistics, trainingForm } from './gradient/training-form.js'
import type { HeadValues } from './loss/head-batch.js'
import { ParameterLayout } from './optimization/parameters.js'
import { VectorMemory } from './optimization/vector-memory.js'
import type { GraphRunner, OpenGraph } from './ports.js'

/** Weights and room for their gradients, by name, in shared memory. The gradients are those of the last backward run. */
export interface LearnedArrays {
  readonly weights: ReadonlyMap<ValueName, FloatTensor>
  readonly gradients: ReadonlyMap<ValueName, Float32Array>
}

/** Arrays for the initializers `names` of `graph`, whose values are copied. */
export function learnedArrays(graph: Graph, names: readonly ValueName[]): LearnedArrays {
  const layout = new ParameterLayout(graph, names)
  const memory = new VectorMemory(layout.length, 2)
  const values = memory.take()
  layout.fill(values, graph)
  return { weights: layout.tensors(values), gradients: layout.views(memory.take()) }
}

/** The initializers that a detector learns: what convolutions and batch norms multiply with and add. */
export function trainableNames(graph: Graph): readonly ValueName[] {
  const names = new Set<ValueName>()
  for (const node of graph.nodes) {
    const own = node.opType === 'Conv' || node.opType === 'BatchNormalization' ? node.inputs.slice(1, 3) : []
    for (const name of own) if (graph.initializers.has(name)) names.add(name)
  }
  return [...names]
}

export class NetworkSession {
  readonly statistics: readonly BatchStatistics[]
  readonly #input: ValueName
  readonly #inputDims: readonly number[]
  readonly #outputs: Graph['outputs']
  readonly #forward: OpenGraph
  readonly #backward: OpenGraph

  private constructor(
    graph: Graph,
    statistics: readonly BatchStatistics[],
    forward: OpenGraph,
    backward: OpenGraph,
  ) {
    const input = present(graph.inputs[0], 'a network has an input')
    this.#input = input.name
    this.#inputDims = input.shape as readonly number[]
    this.#outputs = graph.outputs
    this.statistics = statistics
    this.#forward = forward
    this.#backward = backward
  }

  /**
   * Opens `graph` (raw heads, fixed batch) with the weights of `learned` as inputs; each run takes them as they are then.
   * Throws `model.op_unsupported` and what the runner throws.
   */
  static async open(graph: Graph, learned: LearnedArrays, runner: GraphRunner): Promise<NetworkSession> {
    const names = [...learned.weights.keys()]
    const { graph: trainable, statistics } = trainingForm(graph)
    const free = pruned(initializersAsInputs(trainable, names))
    const backward = differentiate(
      free,
      names,
      statistics.flatMap(({ mean, variance }) => [mean, variance]),
    )
    const forward = await runner.open(free, { inputs: readBy(free, learned), outputs: new Map() })
    try {
      const gradients = [...learned.gradients].map(([name, array]) => [gradientName(name), array] as const)
      const bound = { inputs: readBy(backward, learned), outputs: new Map(gradients) }
      return new NetworkSession(free, statistics, forward, await runner.open(backward, bound))
    } catch (thrown) {
      await forward.close()
      throw thrown
    }
  }

  /** The raw head outputs of a batch. The weights must not change until `backward` of the same batch has ended. */
  async forward(images: Float32Array): Promise<HeadValues> {
    const running = this.#forward.run(new Map([[this.#input, this.#imageTensor(images)]]))
    this.#backward.readInputs?.()
    const outputs = await running
    return new Map([...outputs].map(([name, tensor]) => [name, tensor.data as Float32Array]))
  }

  /** Computes the gradients of the weights, given those of the head outputs; returns means and variances of the batch, by name. */
  async backward(images: Float32Array, seeds: HeadValues): Promise<HeadValues> {
    const feeds = new Map([[this.#input, this.#imageTensor(images)]])
    for (const { name, shape } of this.#outputs)
      feeds.set(seedName(name), floatTensor(shape as readonly number[], seeds.get(name)!))
    const outputs = await this.#backward.run(feeds)
    return new Map([...outputs].map(([name, tensor]) => [name, tensor.data as Float32Array]))
  }

  async close(): Promise<void> {
    await Promise.all([this.#forward.close(), this.#backward.close()])
  }

  #imageTensor(images: Float32Array): FloatTensor {
    return floatTensor(this.#inputDims, images)
  }
}

/** The weights that are inputs of `graph`: a gradient needs no bias. */
function readBy({ inputs }: Graph, { weights }: LearnedArrays): LearnedArrays['weights'] {
  const names = new Set(inputs.map((input) => input.name))
  return new Map([...weights].filter(([name]) => names.has(name)))
}
