/** Criteria on what channels say over calibration samples. */

import { AgentError } from '../../../base/errors.js'
import { type GroupedAxis, readingAxes } from '../channel-groups.js'
import type { ChannelStatistics } from '../activation-statistics.js'
import type { Criterion } from './criterion.js'

/**
 * How a map becomes one number: mean of |a|, its peak (max pooling), |its mean| (average pooling), or its standard deviation:
 * what a channel always says, the biases of its readers can say instead.
 */
export type ActivationPooling = 'absolute' | 'max' | 'average' | 'deviation'

/** The pooled activation of each channel where it is read (after its activation function). */
export function activationScore(pooling: ActivationPooling): Criterion {
  return ({ groups, activations }) => {
    if (activations === undefined) {
      throw new AgentError(
        'compress.plan_invalid',
        'the activation criterion needs calibration samples, and none were given',
        { hint: 'Give calibration images, or choose the criterion l1 or l2.' },
      )
    }
    const scores = new Map<GroupedAxis, Float64Array>()
    for (const axis of readingAxes(groups)) {
      const statistics = activations.get(axis.node.inputs[0]!)
      if (statistics !== undefined) scores.set(axis, pooled(statistics, pooling))
    }
    return scores
  }
}

function pooled(statistics: ChannelStatistics, pooling: ActivationPooling): Float64Array {
  const { meanAbsolute, meanPeak, meanPooled, deviation } = statistics
  return { absolute: meanAbsolute, max: meanPeak, average: meanPooled, deviation }[pooling]
}
