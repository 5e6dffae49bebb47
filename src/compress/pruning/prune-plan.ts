/** What a pruning plan says, its defaults and its checks. Invariant: a checked plan has every field within its range. */

import * as v from 'valibot'

import { AgentError } from '../../base/errors.js'
import { criterionNames } from './criteria/criterion.js'

const part = v.pipe(v.number(), v.gtValue(0), v.maxValue(1))

const planSchema = v.strictObject({
  /** Part of the multiply-accumulates to keep. */
  macs: part,
  criterion: v.optional(v.picklist(criterionNames), 'reconstruction'),
  /** `global`: scores against cost over all layers. `sensitivity`: measured damage against cost. `uniform`: one part. */
  schedule: v.optional(v.picklist(['global', 'uniform', 'sensitivity']), 'sensitivity'),
  /** Of the norms: the weights that read a channel, or the filters that make it. */
  weights: v.optional(v.picklist(['readers', 'filters']), 'readers'),
  /** How an activation map becomes one number. What a channel always says, re-fitted readers say without it. */
  pooling: v.optional(v.picklist(['absolute', 'max', 'average', 'deviation']), 'deviation'),
  aggregation: v.optional(v.picklist(['mean', 'sum', 'max', 'product']), 'product'),
  normalisation: v.optional(v.picklist(['none', 'mean', 'max', 'norm']), 'mean'),
  round_to: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(64)), 16),
  minimum_channels: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 8),
  minimum_keep: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 0.2),
  /** Floors for the layers whose name begins so; 1 leaves a layer alone. */
  limits: v.optional(v.array(v.strictObject({ layer: v.string(), keep: part })), []),
  /** Residual additions to take out whole, by node name. */
  remove_blocks: v.optional(v.array(v.string()), []),
  restore: v.optional(v.picklist(['none', 'mean', 'bias', 'lsq']), 'lsq'),
  ridge: v.optional(v.pipe(v.number(), v.gtValue(0)), 1e-3),
  /** In how many rounds channels go. Unless given: with least squares, as many as take three tenths of the MACs at most; else one. */
  rounds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(16))),
  /** Steps of conjugate gradients at the most. */
  steps: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 40),
  seed: v.optional(v.pipe(v.number(), v.integer()), 1),
})

/** A checked plan; fields as in plan files. */
export type PrunePlan = v.InferOutput<typeof planSchema>
/** A plan as written: only `macs` is required. */
export type PrunePlanInput = v.InferInput<typeof planSchema>

/** Part of the multiply-accumulates that goes in a round at the most, unless the plan says otherwise. */
const takenInARound = 0.3

/** In how many rounds the channels of a plan go. */
export function roundsOf({ macs, restore, rounds }: PrunePlan): number {
  if (rounds !== undefined) return rounds
  // Without a fit, a further round would judge channels in a network that is out of order.
  return restore === 'lsq' ? Math.max(1, Math.ceil((1 - macs) / takenInARound - 1e-9)) : 1
}

/** Checks a plan and fills in the defaults. Throws `compress.plan_invalid` naming the first field that is wrong. */
export function parsePrunePlan(plan: unknown): PrunePlan {
  const result = v.safeParse(planSchema, plan)
  if (result.success) return result.output
  const [issue] = result.issues
  throw new AgentError(
    'compress.plan_invalid',
    `the pruning plan has ${v.getDotPath(issue) ?? 'no object'} ${issue.received}, expected ${issue.expected ?? issue.message}`,
  )
}
