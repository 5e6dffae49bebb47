/**
 * Accuracy control: the fewest layers that have to stay float for the loss of accuracy to stay under a limit.
 * Layers go back to float in the order of their sensitivity; how many is found by doubling, then by halving.
 * Invariant: the returned count was measured and keeps the limit, or every layer is float.
 */

/** One measured model. */
export interface ControlTrial {
  /** Layers that were float: the first so many of the order. */
  readonly floatLayers: number
  /** Loss of accuracy against the float model; below zero for a gain. */
  readonly drop: number
}

export interface ControlResult {
  readonly floatLayers: number
  readonly trials: readonly ControlTrial[]
}

/**
 * @param layers how many there are
 * @param limit the largest allowed drop
 * @param dropWith measures the model with the first `count` layers in float
 */
export async function fewestFloatLayers(
  layers: number,
  limit: number,
  dropWith: (count: number) => Promise<number>,
): Promise<ControlResult> {
  const trials: ControlTrial[] = []
  let low = -1
  let high = 0
  while (!(await keeps(high))) {
    low = high
    high = Math.min(layers, Math.max(1, 2 * high))
    if (low === layers) break
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (await keeps(middle)) high = middle
    else low = middle
  }
  return { floatLayers: high, trials }

  async function keeps(count: number): Promise<boolean> {
    const drop = await dropWith(count)
    trials.push({ floatLayers: count, drop })
    return drop <= limit
  }
}
