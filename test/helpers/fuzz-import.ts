/** Damaged model files through import, description and edge form. */

import { AgentError } from '../../src/base/errors.js'
import { seededRandom } from '../../src/base/random.js'
import { toEdgeForm } from '../../src/compress/edge-form.js'
import { importModel } from '../../src/onnx/import-model.js'
import { mutate } from './mutate.js'

export interface FuzzFigures {
  /** Files that are still graphs. */
  readonly accepted: number
  /** Refusals by code. */
  readonly refused: Readonly<Record<string, number>>
  /** Anything thrown that is not a coded refusal, with the seed that makes it. */
  readonly crashes: readonly string[]
  readonly slowestMs: number
  /** The most the heap grew over its start, bytes. */
  readonly heapGrowthBytes: number
}

/** Damages `models` in turn, one file a seed from `firstSeed` on. */
export function fuzzImport(models: readonly Uint8Array[], count: number, firstSeed: number): FuzzFigures {
  const refused: Record<string, number> = {}
  const crashes: string[] = []
  let accepted = 0
  let slowestMs = 0
  let heapGrowthBytes = 0
  const heapBefore = process.memoryUsage().heapUsed
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const bytes = mutate(models[seed % models.length]!, seededRandom(seed))
    const startMs = performance.now()
    try {
      toEdgeForm(importModel(bytes))
      accepted++
    } catch (thrown) {
      if (thrown instanceof AgentError && thrown.code !== 'compress.pass_failed')
        refused[thrown.code] = (refused[thrown.code] ?? 0) + 1
      else crashes.push(`seed ${seed}: ${String(thrown)}`)
    }
    slowestMs = Math.max(slowestMs, performance.now() - startMs)
    if (seed % 100 === 0)
      heapGrowthBytes = Math.max(heapGrowthBytes, process.memoryUsage().heapUsed - heapBefore)
  }
  return { accepted, refused, crashes, slowestMs, heapGrowthBytes }
}
