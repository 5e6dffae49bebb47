/**
 * Convolutions that read channels, each re-fitted in closed form to the channels that stay.
 * Invariant: every reader is fitted by itself, to what it read in the graph as it is; the graph is not changed, and weights of
 * channels that go are zero.
 */

import { present } from '../../base/assert.js'
import type { Graph, Node, ValueName } from '../../onnx/graph.js'
import type { Tensor } from '../../onnx/tensor.js'
import { compensate } from '../restoration/compensate.js'
import { ConstantProduct } from '../restoration/constant-product.js'
import type { InputMoments } from '../restoration/input-moments.js'
import type { Matrix } from '../restoration/matrix-products.js'
import { packRows, unpackRows } from '../restoration/packed-weights.js'
import type { GraphRunner } from '../ports.js'
import type { ChannelGroups, GroupedAxis } from './channel-groups.js'
import { removedPlaces, type RemovedGroups } from './index-mapping.js'

export interface ReadersInput {
  readonly graph: Graph
  readonly groups: ChannelGroups
  readonly moments: InputMoments
  readonly ridge: number
}

/** Weights and bias of one convolution. */
type FittedWeights = readonly (readonly [ValueName, Tensor])[]

interface Reader {
  readonly axis: GroupedAxis
  readonly weights: Matrix
  readonly diagonal: Float64Array
  /** The last few fits, by the places that had gone. */
  readonly fits: Map<string, FittedWeights>
}

/** Fits of a reader that are remembered: those of a few neighbouring allocations. */
const rememberedFits = 4
/** Products that are open at a time: each has a thread and a matrix of its own. */
const openProducts = 6

export class CompensatedReaders {
  readonly #input: ReadersInput
  readonly #runner: GraphRunner
  readonly #readers: readonly Reader[]
  /** Those that are open, the oldest first. */
  readonly #products = new Map<Reader, ConstantProduct>()

  /** @param channels whose readers are meant; all where absent */
  constructor(input: ReadersInput, runner: GraphRunner, channels?: Iterable<number>) {
    this.#input = input
    this.#runner = runner
    const members = channels === undefined ? undefined : new Set(channels)
    const isMember = (group: number): boolean => (members === undefined ? group >= 0 : members.has(group))
    this.#readers = input.groups.axes
      .filter(
        ({ role, node, groups }) =>
          role === 'consumes' && input.moments.has(node.name) && groups.some(isMember),
      )
      .map((axis) => readerOf(input, axis))
  }

  get nodes(): readonly Node[] {
    return this.#readers.map(({ axis }) => axis.node)
  }

  /** Weights of those readers that lose some of `removed`. */
  async weightsWithout(removed: RemovedGroups): Promise<ReadonlyMap<ValueName, Tensor>> {
    const all = new Map<ValueName, Tensor>()
    for (const reader of this.#readers) {
      const gone = removedPlaces(reader.axis.groups, removed)
      if (gone.length === 0) continue
      for (const [name, tensor] of await this.#fitWithout(reader, gone)) all.set(name, tensor)
    }
    return all
  }

  /** Frees what the fits needed. */
  async close(): Promise<void> {
    while (this.#products.size > 0) await this.#closeOldest()
  }

  async #productOf(reader: Reader): Promise<ConstantProduct> {
    const known = this.#products.get(reader)
    if (known !== undefined) return known
    if (this.#products.size >= openProducts) await this.#closeOldest()
    const moments = present(this.#input.moments.get(reader.axis.node.name), 'readers have moments')
    const product = await ConstantProduct.open(this.#runner, moments)
    this.#products.set(reader, product)
    return product
  }

  async #closeOldest(): Promise<void> {
    const [oldest] = this.#products
    if (oldest === undefined) return
    const [reader, product] = oldest
    this.#products.delete(reader)
    await product.close()
  }

  async #fitWithout(reader: Reader, gone: readonly number[]): Promise<FittedWeights> {
    const key = gone.join()
    const known = reader.fits.get(key)
    if (known !== undefined) return known
    const { graph, ridge } = this.#input
    const { axis, weights, diagonal } = reader
    const product = await this.#productOf(reader)
    const kernel = (weights.columns - 1) / axis.groups.length
    const kept = new Uint8Array(weights.columns).fill(1)
    for (const place of gone) kept.fill(0, place * kernel, (place + 1) * kernel)
    const fitted = await compensate(weights, product, { diagonal, kept, ridge })
    const made = unpackRows(axis.node, graph.initializers, fitted)
    const [oldest] = reader.fits.keys()
    if (oldest !== undefined && reader.fits.size >= rememberedFits) reader.fits.delete(oldest)
    reader.fits.set(key, made)
    return made
  }
}

function readerOf({ graph, moments }: ReadersInput, axis: GroupedAxis): Reader {
  const { rows, data } = present(moments.get(axis.node.name), 'readers have moments')
  const diagonal = Float64Array.from({ length: rows }, (_, at) => data[at * (rows + 1)]!)
  const weights = packRows(axis.node, graph.initializers)
  return { axis, weights, diagonal, fits: new Map() }
}
