/** Learning rate and averaging over the run. Invariant: both depend on the step number only. */

export interface ScheduleOptions {
  readonly steps: number
  /** The learning rate at its largest, after the warm-up. */
  readonly rate: number
  /** Share of `rate` at the end. Default: 0.01. */
  readonly finalShare?: number
  /** Steps in which the rate rises from zero. Default: a twentieth of the run, 100 at the most. */
  readonly warmUpSteps?: number
}

/** The rate of step `step` (from 1): a straight rise, then half a cosine down. */
export function rateAt(step: number, options: ScheduleOptions): number {
  const { steps, rate, finalShare = 0.01, warmUpSteps = Math.min(100, Math.ceil(steps / 20)) } = options
  if (step <= warmUpSteps) return (rate * step) / warmUpSteps
  const done = Math.min(1, (step - warmUpSteps) / Math.max(1, steps - warmUpSteps))
  return rate * (finalShare + (1 - finalShare) * 0.5 * (1 + Math.cos(Math.PI * done)))
}

/** What the averaged weights keep of themselves at step `step`: little at first, `decay` in the end. */
export function averageDecayAt(step: number, decay: number, rampSteps: number): number {
  return decay * (1 - Math.exp(-step / rampSteps))
}
