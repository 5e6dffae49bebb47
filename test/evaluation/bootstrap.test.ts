import t from 'tap'
import { seededRandom } from '../../src/base/random.js'
import { bootstrapDifference } from '../../src/evaluation/bootstrap.js'
import { evaluateDetections } from '../../src/evaluation/coco-eval.js'
import type { EvaluatedImage } from '../../src/evaluation/ground-truth.js'
import { matchImage } from '../../src/evaluation/match-image.js'

/** Pictures with three objects each; a model finds each with probability `recall` and adds one wrong box. */
function pictures(count: number, recall: number, seed: number): EvaluatedImage[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => {
    const groundTruths = [0, 1, 2].map((at) => ({
      ...{ x1: 100 * at, y1: 0, x2: 100 * at + 50, y2: 50 },
      classIndex: at % 2,
      area: 2500,
      crowd: false,
    }))
    const right = groundTruths
      .filter(() => random.next() < recall)
      .map((each) => ({ ...each, score: 0.3 + 0.7 * random.next() }))
    const wrong = { classIndex: 0, score: 0.5 * random.next(), x1: 400, y1: 0, x2: 450, y2: 50 }
    return { groundTruths, detections: [...right, wrong] }
  })
}

const good = pictures(60, 0.9, 1)
const bad = pictures(60, 0.6, 2)

t.test('a clear difference is outside of chance, and is the difference of the two figures', (t) => {
  for (const metric of ['map', 'map50'] as const) {
    const result = bootstrapDifference(good.map(matchImage), bad.map(matchImage), { metric, resamples: 300 })
    const expected = evaluateDetections(bad)[metric] - evaluateDetections(good)[metric]
    t.ok(Math.abs(result.difference - expected) < 1e-12)
    t.ok(result.low < result.difference && result.difference < result.high)
    t.ok(result.high < 0, `up to ${result.high}`)
    t.ok(result.standardError > 0.005 && result.standardError < 0.1, String(result.standardError))
  }
  t.end()
})

t.test('a model does not differ from itself', (t) => {
  const matches = good.map(matchImage)
  const none = { difference: 0, low: 0, high: 0, standardError: 0 }
  t.same(bootstrapDifference(matches, matches, { resamples: 50 }), none)
  t.end()
})

t.test('the same seed gives the same interval, another seed another', (t) => {
  const [a, b] = [good.map(matchImage), bad.map(matchImage)]
  const first = bootstrapDifference(a, b, { resamples: 100, seed: 7 })
  t.same(bootstrapDifference(a, b, { resamples: 100, seed: 7 }), first)
  t.not(bootstrapDifference(a, b, { resamples: 100, seed: 8 }).low, first.low)
  t.end()
})

t.test('a wider confidence gives a wider interval', (t) => {
  const [a, b] = [good.map(matchImage), bad.map(matchImage)]
  const narrow = bootstrapDifference(a, b, { resamples: 200, confidence: 0.5 })
  const wide = bootstrapDifference(a, b, { resamples: 200, confidence: 0.99 })
  t.ok(wide.low < narrow.low && narrow.high < wide.high)
  t.end()
})

t.test('models that saw different numbers of pictures are not compared', (t) => {
  t.throws(() => bootstrapDifference(good.map(matchImage), []), { code: 'internal.invariant_broken' })
  t.end()
})
