/**
 * A network whose weights are inputs: one graph forward, one backward.
 * Invariant: weights live with the caller; everything that the two graphs read and write lies in shared memory, so a run sends nothing.
 */

import { present } from '../base/assert.js'
import type { Graph, ValueInfo, ValueName } from '../onnx/graph.js'
import { elementCount, floatTensor, type FloatTensor } from '../onnx/tensor.js'
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
import { VectorMemory, wholeLanes } from './optimization/vector-memory.js'
import type { GraphRunner, OpenGraph } from './ports.js'

/** Weights and room for their gradients, by name, in shared memory. The gradients are those of the last backward run. */
export interface LearnedArrays {
  readonly weights: ReadonlyMap<ValueName, FloatTensor>
  readonly gradients: ReadonlyMap<ValueName, FloatTensor>
}

/** Arrays for the initializers `names` of `graph`, whose values are copied. */
export function learnedArrays(graph: Graph, names: readonly ValueName[]): LearnedArrays {
  const layout = new ParameterLayout(graph, names)
  const memory = new VectorMemory(layout.length, 2)
  const values = memory.take()
  layout.fill(values, graph)
  return { weights: layout.tensors(values), gradients: layout.tensors(memory.take()) }
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
  readonly #forward: OpenGraph
  readonly #backward: OpenGraph
  readonly #arrays: SessionArrays

  private constructor(
    statistics: readonly BatchStatistics[],
    forward: OpenGraph,
    backward: OpenGraph,
    arrays: SessionArrays,
  ) {
    this.statistics = statistics
    this.#forward = forward
    this.#backward = backward
    this.#arrays = arrays
  }

  /**
   * Opens `graph` (raw heads, fixed batch) with the weights of `learned` as inputs; each run takes them as they are then.
   * Throws `model.op_unsupported` and what the runner throws.
   */
  static async open(graph: Graph, learned: LearnedArrays, runner: GraphRunner): Promise<NetworkSession> {
    const names = [...learned.weights.keys()]
    const { graph: trainable, statistics } = trainingForm(graph)
    const free = pruned(initializersAsInputs(trainable, names))
    const kept = statistics.flatMap(({ mean, variance }) => [mean, variance])
    const backward = differentiate(free, names, kept)
    const images = sharedTensors([present(graph.inputs[0], 'a network has an input')])
    const heads = sharedTensors(graph.outputs)
    const seeds = renamed(sharedTensors(graph.outputs), seedName)
    const gradients = renamed(learned.gradients, gradientName)
    const found = sharedTensors(backward.outputs.filter(({ name }) => !gradients.has(name)))
    const inputs = new Map([...images, ...seeds, ...learned.weights])
    const opened = await runner.open(free, { inputs: readBy(free, inputs), outputs: heads })
    try {
      return new NetworkSession(
        statistics,
        opened,
        await runner.open(backward, {
          inputs: readBy(backward, inputs),
          outputs: new Map([...gradients, ...found]),
        }),
        {
          images: [...images.values()][0]!.data,
          heads: valuesOf(heads),
          seeds: valuesOf(seeds),
          statistics: valuesOf(found),
        },
      )
    } catch (thrown) {
      await opened.close()
      throw thrown
    }
  }

  /**
   * The raw head outputs of a batch (copied), which stay until the next one.
   * The weights must not change until `backward` of the same batch has ended.
   */
  async forward(images: Float32Array): Promise<HeadValues> {
    this.#arrays.images.set(images)
    await this.#forward.run(new Map())
    return this.#arrays.heads
  }

  /**
   * Computes the gradients of the weights for the batch of the last `forward`, given those of its head outputs; returns means and
   * variances of the batch, by name, which stay until the next one.
   */
  async backward(seeds: HeadValues): Promise<HeadValues> {
    for (const name of this.#arrays.heads.keys())
      this.#arrays.seeds.get(seedName(name))!.set(seeds.get(name)!)
    await this.#backward.run(new Map())
    return this.#arrays.statistics
  }

  async close(): Promise<void> {
    await Promise.all([this.#forward.close(), this.#backward.close()])
  }
}

/** What goes in and out besides weights and gradients, where both graphs read and write it. */
interface SessionArrays {
  readonly images: Float32Array
  readonly heads: HeadValues
  /** The gradients of the loss at each head, `[N, channels, h, w]`, by the name of the input of the backward graph. */
  readonly seeds: HeadValues
  readonly statistics: HeadValues
}

/** Room in shared memory for values of fixed shapes, by name. */
function sharedTensors(values: readonly ValueInfo[]): Map<ValueName, FloatTensor> {
  const shapes = values.map(({ shape }) => shape as readonly number[])
  const total = shapes.reduce((sum, shape) => sum + wholeLanes(elementCount(shape)), 0)
  const memory = new SharedArrayBuffer(Float32Array.BYTES_PER_ELEMENT * total)
  let offset = 0
  return new Map(
    values.map(({ name }, index) => {
      const shape = shapes[index]!
      const array = new Float32Array(memory, Float32Array.BYTES_PER_ELEMENT * offset, elementCount(shape))
      offset += wholeLanes(array.length)
      return [name, floatTensor(shape, array)]
    }),
  )
}

function renamed<T>(
  values: ReadonlyMap<ValueName, T>,
  rename: (name: ValueName) => ValueName,
): Map<ValueName, T> {
  return new Map([...values].map(([name, value]) => [rename(name), value]))
}

function valuesOf(tensors: ReadonlyMap<ValueName, FloatTensor>): HeadValues {
  return new Map([...tensors].map(([name, { data }]) => [name, data]))
}

/** Those of `values` that are inputs of `graph`: a gradient needs no bias. */
function readBy({ inputs }: Graph, values: LearnedArrays['weights']): LearnedArrays['weights'] {
  const names = new Set(inputs.map((input) => input.name))
  return new Map([...values].filter(([name]) => names.has(name)))
}
