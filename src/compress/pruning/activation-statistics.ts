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
}

export type ActivationStatistics = ReadonlyMap<ValueName, ChannelStatistics>

/** Measures `values` of `graph` over all samples. */
export async function measureActivations(
  run: { readonly graph: Graph; readonly runner: GraphRunner; readonly samples: CalibrationSamples },
  values: readonly ValueName[],
): Promise<ActivationStatistics> {
  const statistics = new Map<ValueName, ChannelStatistics>()
  await observe(run, values, (_sample, seen) => {
    for (const value of values) {
      const map = featureMap(seen.get(value), value)
      const known = statistics.get(value) ?? emptyStatistics(map.channels)
      statistics.set(value, known)
      addMap(known, map, 1 / run.samples.count)
    }
  })
  return statistics
}

function emptyStatistics(channels: number): ChannelStatistics {
  return {
    mean: new Float64Array(channels),
    meanAbsolute: new Float64Array(channels),
    meanPeak: new Float64Array(channels),
    meanPooled: new Float64Array(channels),
  }
}

function addMap(statistics: ChannelStatistics, map: FeatureMap, weight: number): void {
  const plane = map.height * map.width
  for (let channel = 0; channel < map.channels; channel++) {
    let sum = 0
    let absolute = 0
    let peak = 0
    for (let at = channel * plane; at < (channel + 1) * plane; at++) {
      const value = map.data[at]!
      const size = Math.abs(value)
      sum += value
      absolute += size
      if (size > peak) peak = size
    }
    statistics.mean[channel]! += (weight * sum) / plane
    statistics.meanAbsolute[channel]! += (weight * absolute) / plane
    statistics.meanPeak[channel]! += weight * peak
    statistics.meanPooled[channel]! += (weight * Math.abs(sum)) / plane
  }
}
