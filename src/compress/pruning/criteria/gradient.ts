/** First-order Taylor: how much the loss would change if the filter were zero. */

import { AgentError } from '../../../base/errors.js'
import { type GroupedAxis, isFilterAxis } from '../channel-groups.js'
import type { Criterion } from './criterion.js'
import { floatWeight, sumOver } from './weight-norm.js'

/** Sum of |g * w| over each filter (Molchanov et al. 2019, "Importance estimation for neural network pruning"). */
export const gradientTaylor: Criterion = ({ graph, groups, gradients }) => {
  if (gradients === undefined) {
    throw new AgentError(
      'compress.plan_invalid',
      'the gradient criterion needs the gradients of the weights, and none were given',
      { hint: 'Give labelled images, or choose the criterion l1 or reconstruction.' },
    )
  }
  const scores = new Map<GroupedAxis, Float64Array>()
  for (const axis of groups.axes) {
    if (!isFilterAxis(axis)) continue
    const weight = floatWeight(graph, axis)
    const gradient = gradients.get(axis.initializer)
    if (gradient?.length !== weight.data.length) {
      throw new AgentError(
        'compress.plan_invalid',
        `the gradient criterion has ${gradient?.length ?? 0} gradients for ${axis.initializer}, expected ${weight.data.length}`,
      )
    }
    scores.set(
      axis,
      sumOver(weight, axis.axis, (index) => Math.abs(weight.data[index]! * gradient[index]!)),
    )
  }
  return scores
}
