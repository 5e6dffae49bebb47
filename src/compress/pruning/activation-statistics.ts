/** What activations look like over calibration samples: per value and channel. */

import type { Graph, ValueName } from '../../onnx/graph.js'
import type { CalibrationSamples } from '../calibration-samples.js'
import type { GraphRunner } from '../ports.js'
import { featureMap, observe } from '../restoration/observe.js'
import type { FeatureMap } from '../restoration/convolution-geometry.js'

/** Means over samples, one number a channel. */
export interface ChannelStatistics {
  readonly mean: Float64Array
  readonly meanAbsolute: Float64Array
  /** Mean over samples of the largest |a| of the map. */
  readonly meanPeak: Float64Array
  /** Mean over samples of |the average of the map|. */
  readonly meanPooled: Float64Array
  /** Standard deviation over all places of all samples. */
  readonly deviation: Float64Array
}

export type ActivationStatistics = ReadonlyMap<ValueName, ChannelStatistics>

/** Measures `values` of `graph` over all samples. */
export async function measureActivations(
  run: { readonly graph: Graph; readonly runner: GraphRunner; readonly samples: CalibrationSamples },
  values: readonly ValueName[],
): Promise<ActivationStatistics> {
  const sums = new Map<ValueName, ChannelSums>()
  await observe(run, values, (_sample, seen) => {
    for (const value of values) {
      const map = featureMap(seen.get(value), value)
      const known = sums.get(value) ?? noSums(map.channels)
      sums.set(value, known)
      addMap(known, map, 1 / run.samples.count)
    }
  })
  return new Map([...sums].map(([value, known]) => [value, statisticsOf(known)]))
}

interface ChannelSums extends Omit<ChannelStatistics, 'deviation'> {
  readonly meanSquare: Float64Array
}

function statisticsOf({ meanSquare, ...means }: ChannelSums): ChannelStatistics {
  const deviation = meanSquare.map((square, channel) =>
    Math.sqrt(Math.max(0, square - means.mean[channel]! ** 2)),
  )
  return { ...means, deviation }
}

function noSums(channels: number): ChannelSums {
  return {
    mean: new Float64Array(channels),
    meanAbsolute: new Float64Array(channels),
    meanPeak: new Float64Array(channels),
    meanPooled: new Float64Array(channels),
    meanSquare: new Float64Array(channels),
  }
}

function addMap(sums: ChannelSums, map: FeatureMap, weight: number): void {
  const plane = map.height * map.width
  for (let channel = 0; channel < map.channels; channel++) {
    let sum = 0
    let absolute = 0
    let squares = 0
    let peak = 0
    for (let at = channel * plane; at < (channel + 1) * plane; at++) {
      const value = map.data[at]!
      const size = Math.abs(value)
      sum += value
      absolute += size
      squares += size * size
      if (size > peak) peak = size
    }
    sums.mean[channel]! += (weight * sum) / plane
    sums.meanAbsolute[channel]! += (weight * absolute) / plane
    sums.meanSquare[channel]! += (weight * squares) / plane
    sums.meanPeak[channel]! += weight * peak
    sums.meanPooled[channel]! += (weight * Math.abs(sum)) / plane
  }
}
