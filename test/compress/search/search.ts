/** A search on a made-up machine: figures follow from the candidate by formula. */

import type { Candidate } from '../../../src/compress/search/candidate.js'
import type { MeasuredTrial } from '../../../src/compress/search/trial.js'

/** Accuracy falls with pruning and smaller inputs, int8 costs a little; time follows the multiply-accumulates. */
export function madeUpTrial(candidate: Candidate): MeasuredTrial {
  const { precision, side, macs } = candidate
  const drop = 20 * (1 - macs) ** 1.5 + 12 * (1 - side / 640) ** 1.5 + (precision === 'int8' ? 0.2 : 0)
  const work = macs * (side / 640) ** 2
  const ms = 90 * work * (precision === 'int8' ? 0.4 : 1)
  return {
    kind: 'measured',
    candidate,
    sha256: '0'.repeat(64),
    figures: {
      map: 0.35 - drop / 100,
      map50: 0.5 - drop / 100,
      difference: { value: -drop / 100, low: -drop / 100 - 0.01, high: -drop / 100 + 0.01 },
      sizeBytes: Math.round(12e6 * Math.sqrt(macs) * (precision === 'int8' ? 0.27 : 1)),
      packedBytes: Math.round(11e6 * Math.sqrt(macs) * (precision === 'int8' ? 0.23 : 1)),
      macs: 4.37e9 * work,
      parameters: 3.1e6 * macs,
      ms,
      speedUp: 90 / ms,
    },
  }
}
