/** What V8 counted while a test ran. Invariant: a place counts as run when it was, in any process of the test. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

interface ScriptCoverage {
  readonly url: string
  readonly functions: readonly { readonly ranges: readonly Range[] }[]
}

/** Ranges with their counts, by the URL of the module, for each process. */
export type Coverage = ReadonlyMap<string, readonly (readonly Range[])[]>

/** Reads what NODE_V8_COVERAGE left in `folder`. */
export function readCoverage(folder: string): Coverage {
  const scripts = new Map<string, (readonly Range[])[]>()
  for (const name of readdirSync(folder).filter((each) => each.startsWith('coverage-'))) {
    const { result } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { result: ScriptCoverage[] }
    for (const { url, functions } of result) {
      const ranges = functions.flatMap((each) => each.ranges)
      scripts.set(url, [...(scripts.get(url) ?? []), ranges])
    }
  }
  return scripts
}

/** How often the place at `offset` of module `url` ran; 0 where it was never loaded. */
export function countAt(coverage: Coverage, url: string, offset: number): number {
  const counts = (coverage.get(url) ?? []).map((ranges) => innermost(ranges, offset)?.count ?? 0)
  return Math.max(0, ...counts)
}

/** The smallest range around `offset`. */
function innermost(ranges: readonly Range[], offset: number): Range | undefined {
  let best: Range | undefined
  for (const range of ranges) {
    if (offset < range.startOffset || offset >= range.endOffset) continue
    if (best === undefined || range.endOffset - range.startOffset < best.endOffset - best.startOffset)
      best = range
  }
  return best
}
