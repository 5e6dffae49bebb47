import t from 'tap'
import { Histogram } from '../../src/base/histogram.js'
import { seededRandom } from '../../src/base/random.js'

t.test('percentiles stay within 2.5 % of the exact ones', (t) => {
  const random = seededRandom(11)
  const histogram = new Histogram()
  const values = Array.from({ length: 10_000 }, () => Math.exp(random.normal()) * 20)
  for (const value of values) histogram.record(value)
  values.sort((a, b) => a - b)
  for (const quantile of [0.01, 0.5, 0.95, 0.99, 1]) {
    const exact = values[Math.max(0, Math.ceil(quantile * values.length) - 1)]!
    const found = histogram.percentileMs(quantile)
    t.ok(found >= exact * 0.9999 && found <= exact * 1.025, `p${quantile * 100}: ${found} for ${exact}`)
  }
  t.equal(histogram.summary().maxMs, values.at(-1))
  t.end()
})

t.test('an empty histogram is all zeros; reset empties it', (t) => {
  const histogram = new Histogram()
  const empty = { count: 0, meanMs: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0 }
  t.same(histogram.summary(), empty)
  histogram.record(3)
  t.equal(histogram.count, 1)
  histogram.reset()
  t.same(histogram.summary(), empty)
  t.end()
})

t.test('values beyond the range are kept at its ends', (t) => {
  const histogram = new Histogram()
  for (const value of [-5, Number.NaN, Number.POSITIVE_INFINITY, 0, 1e12]) histogram.record(value)
  t.equal(histogram.count, 5)
  t.equal(histogram.summary().maxMs, 1e12)
  t.equal(histogram.percentileMs(0.5), 0.01, 'three of five count as the smallest')
  t.equal(histogram.percentileMs(1), 1e12, 'the largest is not cut')
  const build = new Histogram()
  for (const minutes of [9, 30, 31, 55]) build.record(minutes * 60_000)
  const half = build.percentileMs(0.5)
  t.ok(half >= 30 * 60_000 && half <= 30 * 60_000 * 1.025, `${half} for the build of half an hour`)
  t.end()
})
