/**
 * Which weights become zero, given a score for each.
 * Invariant: exactly the asked number goes (ties by position); masks are 1 where a weight goes.
 */

/** The `count` lowest scores of all lists together, as a mask for each list. */
export function lowestOf(lists: readonly Float32Array[], count: number): Uint8Array[] {
  const limit = nthSmallest(lists, count)
  const masks = lists.map((scores) => new Uint8Array(scores.length))
  let chosen = 0
  lists.forEach((scores, list) => {
    scores.forEach((score, at) => {
      if (score >= limit) return
      masks[list]![at] = 1
      chosen++
    })
  })
  for (let list = 0; list < lists.length; list++) {
    for (let at = 0; at < lists[list]!.length && chosen < count; at++) {
      if (lists[list]![at] !== limit) continue
      masks[list]![at] = 1
      chosen++
    }
  }
  return masks
}

function nthSmallest(lists: readonly Float32Array[], count: number): number {
  const all = new Float32Array(lists.reduce((sum, scores) => sum + scores.length, 0))
  let offset = 0
  for (const scores of lists) {
    all.set(scores, offset)
    offset += scores.length
  }
  all.sort()
  return count >= all.length ? Infinity : all[count]!
}

/**
 * In each run of `of` consecutive input channels (at one output and kernel place) all but the best `keep` go.
 * @param dims [outputs, inputs, ...kernel]; a last run that is shorter loses the same part, rounded down
 */
export function patternZeros(
  scores: Float32Array,
  dims: readonly number[],
  { keep, of }: { readonly keep: number; readonly of: number },
): Uint8Array {
  const [outputs, inputs] = [dims[0]!, dims[1]!]
  const kernel = dims.slice(2).reduce((product, dim) => product * dim, 1)
  const mask = new Uint8Array(scores.length)
  for (let output = 0; output < outputs; output++) {
    for (let tap = 0; tap < kernel; tap++) {
      for (let first = 0; first < inputs; first += of) {
        const run = Math.min(of, inputs - first)
        const places = Array.from({ length: run }, (_, at) => (output * inputs + first + at) * kernel + tap)
        const going = run === of ? of - keep : Math.floor((run * (of - keep)) / of)
        places.sort((a, b) => scores[a]! - scores[b]!)
        for (const place of places.slice(0, going)) mask[place] = 1
      }
    }
  }
  return mask
}

/** Spreads a mask over slices to a mask over their elements. */
export function spreadMask(mask: Uint8Array, size: number): Uint8Array {
  const spread = new Uint8Array(mask.length * size)
  mask.forEach((flag, at) => spread.fill(flag, at * size, (at + 1) * size))
  return spread
}
