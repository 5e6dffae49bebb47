/**
 * Sensitivity: what pruning one layer alone does to the outputs, with its readers compensated in closed form.
 * Invariant: damages rise as fewer channels are kept; only forward runs are needed, and of what a layer does not change none at all:
 * its values are kept (81 MB a sample of YOLOv8n at 640), so samples are gone through a few at a time.
 */

import type { ValueName } from '../../onnx/graph.js'
import { applyPatch } from '../../onnx/patch.js'
import type { Tensor } from '../../onnx/tensor.js'
import type { CalibrationSamples } from '../calibration-samples.js'
import type { Feeds, GraphRunner } from '../ports.js'
import { observe } from '../restoration/observe.js'
import { type Downstream, downstreamOf } from '../restoration/subgraph.js'
import type { ChannelLayer } from './channel-groups.js'
import { chooseGroups } from './choose-groups.js'
import { CompensatedReaders, type ReadersInput } from './compensated-readers.js'
import { damageOf, outputComparisonOf, type OutputDifference } from './output-damage.js'
import { runDownstream } from './run-downstream.js'

/** One probe: how many channels were kept, and what it did to the outputs. */
export interface Probe {
  readonly kept: number
  readonly damage: number
}

/** Probes by layer name, from many to few kept channels. */
export type Sensitivity = ReadonlyMap<string, readonly Probe[]>

export interface SensitivityInput extends ReadersInput {
  /** The order in which channels leave: by rising score. */
  readonly scores: Float64Array
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
  const { graph, groups, scores } = input
  const readers = new CompensatedReaders(input, runner, layer.groups)
  const probes: PreparedProbe[] = []
  try {
    for (const kept of probeCounts(layer, parts)) {
      const removed = chooseGroups(groups, scores, (other) => (other === layer ? kept : other.groups.length))
      probes.push({ kept, weights: await readers.weightsWithout(removed), differences: [] })
    }
  } finally {
    await readers.close()
  }
  const part = downstreamOf(graph, readers.nodes)
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
