/** What left the range of a value, and how much of the range was seen. */

import t from 'tap'
import { activationU8, affineParams } from '../../../src/compress/quantization/affine.js'
import { ValueHistogram } from '../../../src/compress/quantization/calibration/value-histogram.js'
import { rangeUses } from '../../../src/compress/quantization/range-use.js'

function histogramOf(values: readonly number[]): ValueHistogram {
  const histogram = new ValueHistogram()
  histogram.add(Float32Array.from(values))
  return histogram
}

t.test('a value that fills its range, one that leaves it, and one that hardly uses it', (t) => {
  const histograms = new Map([
    ['full', histogramOf([0, 1, 2, 3, 4])],
    ['outside', histogramOf([0, 1, 2, 3, 40])],
    ['quiet', histogramOf([0, 0.1, 0.2])],
  ])
  const params = affineParams(0, 4, activationU8)
  const scales = new Map([...histograms.keys(), 'unseen'].map((name) => [name, params]))
  const [full, outside, quiet, ...others] = rangeUses(histograms, scales)
  t.same(others, [], 'what was not observed is not told')
  t.match(full, { value: 'full', saturated: 0 })
  t.ok(full!.used > 0.99)
  t.ok(Math.abs(outside!.saturated - 0.2) < 1e-9, 'one of five values')
  t.ok(outside!.used > 0.99)
  t.ok(quiet!.used < 0.06)
  t.equal(quiet!.saturated, 0)
  t.end()
})
