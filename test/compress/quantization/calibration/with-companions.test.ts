import t from 'tap'
import { ValueHistogram } from '../../../../src/compress/quantization/calibration/value-histogram.js'
import {
  shownShare,
  withCompanions,
} from '../../../../src/compress/quantization/calibration/with-companions.js'

function histogramOf(...values: number[]): ValueHistogram {
  const histogram = new ValueHistogram()
  histogram.add(Float32Array.from(values))
  return histogram
}

function ranges(own: ValueHistogram, drawn: ValueHistogram): { min: number; max: number } {
  return withCompanions(new Map([['x', own]]), new Map([['x', drawn]])).get('x')!.range
}

t.test('pictures that show as much as drawn ones speak alone', (t) => {
  const own = histogramOf(-4, 0, 10)
  const chosen = withCompanions(new Map([['x', own]]), new Map([['x', histogramOf(-3, 9)]]))
  t.equal(chosen.get('x'), own)
  t.end()
})

t.test('pictures that show nothing leave the range to drawn ones, and a margin', (t) => {
  const { min, max } = ranges(histogramOf(0, 0.1), histogramOf(-2, 8))
  t.ok(Math.abs(max - 1.35 * 8) < 0.01)
  t.ok(Math.abs(min + 1.35 * 2) < 0.01)
  t.end()
})

t.test('the margin shrinks as pictures show more, without a jump', (t) => {
  let before = Infinity
  for (let shown = 0.5; shown < 1; shown += 0.01) {
    const { max } = ranges(histogramOf(0, 10 * shown), histogramOf(0, 10))
    t.ok(max <= before + 0.01 && max >= 10 * shown, `a range of ${max} where ${shown} was shown`)
    before = max
  }
  t.ok(Math.abs(before - 10) < 0.1, 'and ends at what the drawn pictures show')
  t.end()
})

t.test('both sides count, and how far below -8 does not', (t) => {
  t.equal(shownShare({ min: -1, max: 10 }, { min: -4, max: 10 }), 0.25)
  t.equal(shownShare({ min: -9, max: 10 }, { min: -40, max: 10 }), 1)
  t.equal(
    shownShare({ min: 0, max: 5 }, { min: 0, max: 10 }),
    0.5,
    'a side that nothing is drawn on is shown',
  )
  t.equal(shownShare({ min: 1, max: 5 }, { min: -1, max: 5 }), 0)
  t.end()
})
