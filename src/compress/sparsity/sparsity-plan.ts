/** What a sparsity plan says, its defaults and its checks. Invariant: a checked plan has every field within its range. */

import * as v from 'valibot'

import { AgentError } from '../../base/errors.js'

const share = v.pipe(v.number(), v.minValue(0), v.ltValue(1))

const planSchema = v.strictObject({
  /** Part of the weights that become zero; with `threshold` and `n:m` patterns it follows from those. */
  sparsity: v.optional(share, 0.5),
  /** `n:m` keeps n of each m consecutive input channels; `kernel` takes whole slices W[o,i,:,:], `channel` whole W[o,:,:,:]. */
  pattern: v.optional(
    v.union([v.picklist(['unstructured', 'kernel', 'channel']), v.pipe(v.string(), v.regex(/^\d+:\d+$/))]),
    'unstructured',
  ),
  /** `reconstruction` also re-fits what stays (unstructured and n:m, with calibration samples). */
  criterion: v.optional(v.picklist(['l1', 'l2', 'gradient', 'reconstruction', 'random']), 'l1'),
  /** Each layer alone, or all together after division by the mean score of the layer. */
  scope: v.optional(v.picklist(['layer', 'global']), 'layer'),
  /** Weights with a smaller absolute value become zero; replaces `sparsity`. */
  threshold: v.optional(v.pipe(v.number(), v.gtValue(0))),
  /** Names of convolutions to leave alone, by their beginning. */
  exclude: v.optional(v.array(v.string()), []),
  ridge: v.optional(v.pipe(v.number(), v.gtValue(0)), 1e-2),
  seed: v.optional(v.pipe(v.number(), v.integer()), 1),
})

/** A checked plan; fields as in plan files. */
export type SparsityPlan = v.InferOutput<typeof planSchema>
export type SparsityPlanInput = v.InferInput<typeof planSchema>

/** Checks a plan and fills in the defaults. Throws `compress.plan_invalid` naming the first field that is wrong. */
export function parseSparsityPlan(plan: unknown): SparsityPlan {
  const result = v.safeParse(planSchema, plan)
  if (result.success) {
    patternRatio(result.output.pattern)
    return result.output
  }
  const [issue] = result.issues
  throw new AgentError(
    'compress.plan_invalid',
    `the sparsity plan has ${v.getDotPath(issue) ?? 'no object'} ${issue.received}, expected ${issue.expected ?? issue.message}`,
  )
}

/** The two numbers of an `n:m` pattern, or undefined. Throws `compress.plan_invalid` unless 0 < n < m <= 32. */
export function patternRatio(pattern: string): { readonly keep: number; readonly of: number } | undefined {
  const match = /^(\d+):(\d+)$/.exec(pattern)
  if (match === null) return undefined
  const [keep, of] = [Number(match[1]), Number(match[2])]
  if (keep > 0 && keep < of && of <= 32) return { keep, of }
  throw new AgentError(
    'compress.plan_invalid',
    `the pattern ${pattern} is not possible, expected n:m with 0 < n < m <= 32`,
  )
}
