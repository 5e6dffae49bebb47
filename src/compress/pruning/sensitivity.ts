/**
 * Sensitivity: what pruning one layer alone does to the outputs, with its readers compensated in closed form.
 * Invariant: damages rise as fewer channels are kept; only forward runs are needed, and of what a layer does not change none at all:
 * its values are kept (81 MB a sample of YOLOv8n at 640), so samples are gone through a few at a time.
 */

import { present } from '../../base/assert.js'
import type { Graph, ValueName } from '../../onnx/graph.js'
import { applyPatch } from '../../onnx/patch.js'
import type { Tensor } from '../../onnx/tensor.js'
import { compensate } from '../restoration/compensate.js'
import { ConstantProduct } from '../restoration/constant-product.js'
import type { InputMoments } from '../restoration/input-moments.js'
import type { Matrix } from '../restoration/matrix-products.js'
import { packRows, unpackRows } from '../restoration/packed-weights.js'
import type { CalibrationSamples } from '../calibration-samples.js'
import type { Feeds, GraphRunner } from '../ports.js'
import { observe } from '../restoration/observe.js'
import { type Downstream, downstreamOf, subgraph } from '../restoration/subgraph.js'
import type { ChannelGroups, ChannelLayer, GroupedAxis } from './channel-groups.js'
import { damageOf, outputComparisonOf, type OutputDifference } from './output-damage.js'

/** One probe: how many channels were kept, and what it did to the outputs. */
export interface Probe {
  readonly kept: number
  readonly damage: number
}

/** Probes by layer name, from many to few kept channels. */
export type Sensitivity = ReadonlyMap<string, readonly Probe[]>

export interface SensitivityInput {
  readonly graph: Graph
  readonly groups: ChannelGroups
  /** The order in which channels leave: by rising score. */
  readonly scores: Float64Array
  readonly moments: InputMoments
  readonly ridge: number
}

/**
 * Probes every layer at each of `parts` (of its channels kept), comparing outputs over all samples.
 * @param onProgress told what part of the work is done
 */
export async function measureSensitivity(
  input: SensitivityInput,
  run: { readonly runner: GraphRunner; readonly samples: CalibrationSamples },
  parts: readonly number[],
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<Sensitivity> {
  const { graph, groups } = input
  const probed: ProbedLayer[] = []
  for (const layer of groups.layers) probed.push(await prepareProbes(input, layer, parts, run.runner))
  const values = [...graph.outputs.map(({ name }) => name), ...probed.flatMap(({ part }) => part.inputs)]
  const compare = outputComparisonOf(graph)
  const { samples, runner } = run
  for (let start = 0; start < samples.count; start += samplesAtOnce) {
    const block = slice(samples, start, samplesAtOnce)
    const known: Feeds[] = []
    await observe({ graph, runner, samples: block }, values, (_, made) => {
      known.push(made)
    })
    const comparisons = known.map(compare)
    for (const [index, { part, probes }] of probed.entries()) {
      for (const { weights, differences } of probes) {
        const pruned = applyPatch(graph, { initializers: weights })
        await runDownstream(pruned, part, runner, known, (outputs, sample) => {
          differences.push(comparisons[sample]!(outputs))
        })
      }
      onProgress(start + ((index + 1) / probed.length) * block.count, samples.count)
    }
  }
  return new Map(probed.map(({ layer, probes }) => [layer.name, rising(probes)]))
}

/** Values of so many samples are kept at a time. */
const samplesAtOnce = 8

interface ProbedLayer {
  readonly layer: ChannelLayer
  /** What changes with the weights of the probes. */
  readonly part: Downstream
  readonly probes: readonly PreparedProbe[]
}

interface PreparedProbe {
  readonly kept: number
  /** Of the layer's readers: without the channels that go, re-fitted. */
  readonly weights: ReadonlyMap<ValueName, Tensor>
  /** By sample. */
  readonly differences: OutputDifference[]
}

async function prepareProbes(
  input: SensitivityInput,
  layer: ChannelLayer,
  parts: readonly number[],
  runner: GraphRunner,
): Promise<ProbedLayer> {
  const readers = await openReaders(input, layer, runner)
  const probes: PreparedProbe[] = []
  try {
    for (const kept of probeCounts(layer, parts))
      probes.push({ kept, weights: await compensatedWeights(input, layer, kept, readers), differences: [] })
  } finally {
    for (const { product } of readers) await product.close()
  }
  const part = downstreamOf(
    input.graph,
    readers.map(({ axis }) => axis.node),
  )
  return { layer, part, probes }
}

/** Damages that rise as fewer channels are kept. */
function rising(probes: readonly PreparedProbe[]): readonly Probe[] {
  let highest = 0
  return probes.map(({ kept, differences }) => {
    highest = Math.max(highest, damageOf(differences))
    return { kept, damage: highest }
  })
}

/** Samples `start` to `start + length` of `samples`, as far as there are. */
function slice(samples: CalibrationSamples, start: number, length: number): CalibrationSamples {
  return {
    count: Math.min(length, samples.count - start),
    read: (index) => samples.read(start + index),
  }
}

/** The damage of keeping `kept` channels, by straight lines between probes and on beyond the last. */
export function damageAt(sensitivity: Sensitivity, layer: ChannelLayer, kept: number): number {
  let previous: Probe = { kept: layer.groups.length, damage: 0 }
  const probes = sensitivity.get(layer.name) ?? []
  let slope = 1 / layer.groups.length
  for (const probe of probes) {
    slope = (probe.damage - previous.damage) / (previous.kept - probe.kept)
    if (kept >= probe.kept) break
    previous = probe
  }
  const last = probes.at(-1)
  if (last !== undefined && kept < last.kept) return last.damage + 2 * slope * (last.kept - kept)
  return previous.damage + slope * (previous.kept - kept)
}

function probeCounts(layer: ChannelLayer, parts: readonly number[]): readonly number[] {
  const size = layer.groups.length
  const counts = parts
    .map((part) => Math.max(1, Math.round((part * size) / 8) * 8))
    .filter((count) => count < size)
  return [...new Set(counts)].sort((a, b) => b - a)
}

/** A convolution that reads channels of a layer, with what compensation needs of it. */
interface Reader {
  readonly axis: GroupedAxis
  readonly weights: Matrix
  readonly product: ConstantProduct
  readonly diagonal: Float64Array
}

function readersOf({ groups, moments }: SensitivityInput, layer: ChannelLayer): readonly GroupedAxis[] {
  const members = new Set(layer.groups)
  return groups.axes.filter(
    ({ role, node, groups: places }) =>
      role === 'consumes' && moments.has(node.name) && places.some((group) => members.has(group)),
  )
}

async function openReaders(
  input: SensitivityInput,
  layer: ChannelLayer,
  runner: GraphRunner,
): Promise<readonly Reader[]> {
  const readers: Reader[] = []
  for (const axis of readersOf(input, layer)) {
    const own = present(input.moments.get(axis.node.name), 'readers have moments')
    const diagonal = Float64Array.from({ length: own.rows }, (_, at) => own.data[at * (own.rows + 1)]!)
    const product = await ConstantProduct.open(runner, own)
    readers.push({ axis, weights: packRows(axis.node, input.graph.initializers), product, diagonal })
  }
  return readers
}

/** Weights of the readers when all but the best `kept` channels of the layer are cut off from them, re-fitted. */
async function compensatedWeights(
  { graph, scores, ridge }: SensitivityInput,
  layer: ChannelLayer,
  kept: number,
  readers: readonly Reader[],
): Promise<ReadonlyMap<ValueName, Tensor>> {
  const order = [...layer.groups].sort((a, b) => scores[a]! - scores[b]!)
  const gone = new Set(order.slice(0, order.length - kept))
  const initializers = new Map<ValueName, Tensor>()
  for (const { axis, weights, product, diagonal } of readers) {
    const kernel = (weights.columns - 1) / axis.groups.length
    const flags = new Uint8Array(weights.columns).fill(1)
    axis.groups.forEach((group, place) => {
      if (gone.has(group)) flags.fill(0, place * kernel, (place + 1) * kernel)
    })
    const fitted = await compensate(weights, product, { diagonal, kept: flags, ridge })
    for (const [name, tensor] of unpackRows(axis.node, graph.initializers, fitted))
      initializers.set(name, tensor)
  }
  return initializers
}

/**
 * Computes of `graph` what `part` says from the other values of each sample; `use` works on all outputs of one sample while the next is
 * computed. Without outputs that change, it is not called.
 */
async function runDownstream(
  graph: Graph,
  part: Downstream,
  runner: GraphRunner,
  samples: readonly Feeds[],
  use: (outputs: Feeds, sample: number) => void,
): Promise<void> {
  if (part.outputs.length === 0) return
  const feeds = samples.map((values) => new Map(part.inputs.map((name) => [name, values.get(name)!])))
  const open = await runner.open(subgraph(graph, new Set(part.inputs), part.outputs, feeds[0]!))
  try {
    let next = open.run(feeds[0]!)
    for (const [sample, values] of samples.entries()) {
      const changed = await next
      const following = feeds[sample + 1]
      if (following !== undefined) next = open.run(following)
      use(new Map([...values, ...changed]), sample)
    }
  } finally {
    await open.close()
  }
}
