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
import type { GraphRunner, OpenGraph } from './ports.js'

export type Weights = ReadonlyMap<ValueName, FloatTensor>

export interface BackwardResult {
  /** By weight. */
  readonly gradients: ReadonlyMap<ValueName, Float32Array>
  /** By the name of the value: means and variances of the batch. */
  readonly statistics: ReadonlyMap<ValueName, Float32Array>
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
  readonly #weightsRead: ReadonlySet<ValueName>

  private constructor(
    parts: {
      readonly graph: Graph
      readonly statistics: readonly BatchStatistics[]
      readonly weightsRead: ReadonlySet<ValueName>
    },
    forward: OpenGraph,
    backward: OpenGraph,
  ) {
    const input = present(parts.graph.inputs[0], 'a network has an input')
    this.#input = input.name
    this.#inputDims = input.shape as readonly number[]
    this.#outputs = parts.graph.outputs
    this.statistics = parts.statistics
    this.#weightsRead = parts.weightsRead
    this.#forward = forward
    this.#backward = backward
  }

  /** Opens `graph` (raw heads, fixed batch) with `weights` as inputs. Throws `model.op_unsupported` and what the runner throws. */
  static async open(
    graph: Graph,
    weights: readonly ValueName[],
    runner: GraphRunner,
  ): Promise<NetworkSession> {
    const { graph: trainable, statistics } = trainingForm(graph)
    const free = pruned(initializersAsInputs(trainable, weights))
    const backward = differentiate(
      free,
      weights,
      statistics.flatMap(({ mean, variance }) => [mean, variance]),
    )
    const forward = await runner.open(free)
    try {
      const weightsRead = new Set(backward.inputs.map((input) => input.name))
      return new NetworkSession(
        { graph: free, statistics, weightsRead },
        forward,
        await runner.open(backward),
      )
    } catch (thrown) {
      await forward.close()
      throw thrown
    }
  }

  /** The raw head outputs of a batch, with the statistics of the batch. */
  async forward(images: Float32Array, weights: Weights): Promise<HeadValues> {
    const outputs = await this.#forward.run(new Map([...weights, [this.#input, this.#imageTensor(images)]]))
    return new Map([...outputs].map(([name, tensor]) => [name, tensor.data as Float32Array]))
  }

  /** Gradients of the weights, given those of the head outputs. */
  async backward(images: Float32Array, weights: Weights, seeds: HeadValues): Promise<BackwardResult> {
    const feeds = new Map<ValueName, FloatTensor>(
      [...weights].filter(([name]) => this.#weightsRead.has(name)),
    )
    feeds.set(this.#input, this.#imageTensor(images))
    for (const { name, shape } of this.#outputs)
      feeds.set(seedName(name), floatTensor(shape as readonly number[], seeds.get(name)!))
    const outputs = await this.#backward.run(feeds)
    const dataOf = (name: ValueName): Float32Array =>
      present(outputs.get(name), `${name} is an output`).data as Float32Array
    return {
      gradients: new Map([...weights.keys()].map((name) => [name, dataOf(gradientName(name))])),
      statistics: new Map(
        this.statistics.flatMap(({ mean, variance }) =>
          [mean, variance].map((name) => [name, dataOf(name)] as const),
        ),
      ),
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#forward.close(), this.#backward.close()])
  }

  #imageTensor(images: Float32Array): FloatTensor {
    return floatTensor(this.#inputDims, images)
  }
}
