/** One variant that a search may make. Invariant: equal candidates have equal names, and a name says all of a candidate. */

import { variantName } from '../../yolo/variant-name.js'
import type { Int8TargetName } from '../quantization/targets.js'

export interface Candidate {
  readonly precision: 'fp32' | 'fp16' | 'int8'
  /** Of an int8 candidate. */
  readonly target?: Int8TargetName
  /** Width and height of the input in pixels, a multiple of 32. */
  readonly side: number
  /** Part of the multiply-accumulates of the export at this size that stays; 1: not pruned. */
  readonly macs: number
}

/** `int8-x64-vnni-640-macs80`; made of characters that file names and manifests take. */
export function candidateId({ precision, target, side, macs }: Candidate): string {
  const name = variantName({ precision, target, width: side, height: side })
  return macs === 1 ? name : `${name}-macs${Math.round(100 * macs)}`
}
