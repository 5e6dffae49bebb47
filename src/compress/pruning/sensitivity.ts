/**
 * Sensitivity: what pruning one layer alone does to the outputs, with its readers compensated in closed form.
 * Invariant: damages rise as fewer channels are kept; only forward runs are needed.
 */

import { present } from '../../base/assert.js'
import type { Graph, ValueName } from '../../onnx/graph.js'
import { applyPatch } from '../../onnx/patch.js'
import { elementCount, type Tensor } from '../../onnx/tensor.js'
import { compensate } from '../restoration/compensate.js'
import type { InputMoments } from '../restoration/input-moments.js'
import type { Matrix } from '../restoration/matrix-products.js'
import { packRows, unpackRows } from '../restoration/packed-weights.js'
import type { CalibrationSamples } from '../calibration-samples.js'
import type { Feeds, GraphRunner } from '../ports.js'
import type { ChannelGroups, ChannelLayer } from './channel-groups.js'
import { outputDamageOf } from './output-damage.js'

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
 * @param onLayer told after each layer, for progress
 */
export async function measureSensitivity(
  input: SensitivityInput,
  run: { readonly runner: GraphRunner; readonly samples: CalibrationSamples },
  parts: readonly number[],
  onLayer: (done: number, layers: number) => void = () => undefined,
): Promise<Sensitivity> {
  const { graph, groups } = input
  const damageOf = outputDamageOf(graph)
  const reference = await outputsOf(graph, run)
  const packed = new Map<string, Matrix>()
  const sensitivity = new Map<string, readonly Probe[]>()
  for (const layer of groups.layers) {
    const probes: Probe[] = []
    for (const kept of probeCounts(layer, parts)) {
      const pruned = compensated(input, layer, kept, packed)
      const outputs = await outputsOf(pruned, run)
      const total = outputs.reduce((sum, values, at) => sum + damageOf(reference[at]!, values), 0)
      probes.push({ kept, damage: Math.max(total / outputs.length, probes.at(-1)?.damage ?? 0) })
    }
    sensitivity.set(layer.name, probes)
    onLayer(layer.index + 1, groups.layers.length)
  }
  return sensitivity
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

/** The graph with all but the best `kept` channels of one layer cut off from their readers, which are re-fitted. */
function compensated(
  { graph, groups, scores, moments, ridge }: SensitivityInput,
  layer: ChannelLayer,
  kept: number,
  packed: Map<string, Matrix>,
): Graph {
  const order = [...layer.groups].sort((a, b) => scores[a]! - scores[b]!)
  const gone = new Set(order.slice(0, order.length - kept))
  const initializers = new Map<ValueName, Tensor>()
  for (const axis of groups.axes) {
    if (axis.role !== 'consumes' || !axis.groups.some((group) => gone.has(group))) continue
    const own = moments.get(axis.node.name)
    if (own === undefined) continue
    const matrix = packed.get(axis.node.name) ?? packRows(axis.node, graph.initializers)
    packed.set(axis.node.name, matrix)
    const kernel = elementCount(
      present(graph.initializers.get(axis.initializer), axis.initializer).dims.slice(2),
    )
    const places: number[] = []
    axis.groups.forEach((group, place) => {
      if (!gone.has(group)) for (let at = 0; at < kernel; at++) places.push(place * kernel + at)
    })
    places.push(matrix.columns - 1)
    const { weights } = compensate(matrix, own, places, ridge)
    for (const [name, tensor] of unpackRows(axis.node, graph.initializers, weights))
      initializers.set(name, tensor)
  }
  return applyPatch(graph, { initializers })
}

async function outputsOf(
  graph: Graph,
  run: { readonly runner: GraphRunner; readonly samples: CalibrationSamples },
): Promise<readonly Feeds[]> {
  const open = await run.runner.open(graph)
  try {
    const outputs: Feeds[] = []
    for (let sample = 0; sample < run.samples.count; sample++) {
      outputs.push(await open.run(await run.samples.read(sample)))
    }
    return outputs
  } finally {
    await open.close()
  }
}
