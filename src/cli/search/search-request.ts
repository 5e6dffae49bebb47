/** What a search was asked for. Invariant: a checked request names a data set and pictures that were opened. */

import { AgentError } from '../../base/errors.js'
import { sha256Of } from '../../base/digest.js'
import type { Sha256 } from '../../base/sha256.js'
import type { CalibrationImages } from '../../compress/ports.js'
import { type Budget, parseBudget } from '../../compress/search/budget.js'
import type { SearchSettings } from '../../compress/search/next-candidate.js'
import { int8Targets, type Int8TargetName } from '../../compress/quantization/targets.js'
import type { SigningKey } from '../../protocol/keys.js'
import type { Dataset } from '../dataset/dataset.js'
import type { DetectorFile } from '../model-file.js'
import { packageVersion } from '../package-version.js'

export interface SearchRequest {
  readonly source: DetectorFile & { readonly path: string }
  readonly settings: SearchSettings
  readonly images: CalibrationImages
  readonly dataset: Dataset
  readonly outFolder: string
  /** No candidate is begun after this, counted over all starts of the search. */
  readonly timeLimitMs: number
  readonly threads: number | undefined
  readonly name: string
  readonly version: string | undefined
  readonly keys: readonly SigningKey[]
  /** As it was typed, for whoever repeats it. */
  readonly command: string
}

/** Digest of everything that decides what a search does; a search goes on only from a record of its own. */
export function fingerprintOf({ source, settings, images, dataset, name, version }: SearchRequest): Sha256 {
  const { budgets, ...rest } = settings
  return sha256Of(
    JSON.stringify({
      tool: packageVersion(),
      source: sha256Of(source.fileBytes),
      budgets: budgets.map(({ text }) => text),
      ...rest,
      images: images.count,
      dataset: [dataset.name, ...dataset.images.map((image) => image.name)],
      name,
      version: version ?? '',
    }),
  )
}

/** A parser for `--budget`, which may be given several times. */
export function budgetOption(text: string, earlier: readonly Budget[] = []): readonly Budget[] {
  return [...earlier, parseBudget(text)]
}

/** A parser for `--sizes 640,512`: multiples of 32. */
export function sizesOption(text: string): readonly number[] {
  const sizes = text.split(',').map(Number)
  if (sizes.every((side) => Number.isInteger(side) && side >= 32 && side <= 4096 && side % 32 === 0))
    return sizes
  throw new AgentError(
    'cli.argument_invalid',
    `--sizes ${text}: expected multiples of 32 with commas, such as 640,512,416`,
  )
}

/** A parser for `--for arm64,tensorrt`. */
export function targetsOption(text: string): readonly Int8TargetName[] {
  const known = Object.keys(int8Targets) as Int8TargetName[]
  return text
    .split(',')
    .filter((name) => name !== '')
    .map((name) => {
      const target = known.find((each) => each === name)
      if (target !== undefined) return target
      throw new AgentError('cli.argument_invalid', `--for ${text}: expected some of ${known.join(', ')}`)
    })
}

/** A parser for `--time 30m`: milliseconds. */
export function durationOption(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(s|m|h)$/.exec(text) ?? []
  if (amount !== undefined) return Number(amount) * { s: 1e3, m: 60e3, h: 3600e3 }[unit as 's' | 'm' | 'h']
  throw new AgentError('cli.argument_invalid', `--time ${text}: expected a duration such as 30m, 2h or 90s`)
}
