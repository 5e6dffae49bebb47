import t from 'tap'
import { seededRandom } from '../../src/base/random.js'
import { averagePrecision, rankClasses } from '../../src/evaluation/average-precision.js'
import type { EvaluatedImage } from '../../src/evaluation/ground-truth.js'
import { matchImage } from '../../src/evaluation/match-image.js'

const random = seededRandom(3)
const images: EvaluatedImage[] = Array.from({ length: 12 }, () => {
  const groundTruths = [0, 1, 2].map((at) => {
    const side = 20 + 60 * random.next()
    return {
      x1: 100 * at,
      y1: 0,
      x2: 100 * at + side,
      y2: side,
      classIndex: 0,
      area: side * side,
      crowd: false,
    }
  })
  const near = groundTruths.map((each) => ({
    ...each,
    x2: each.x2 + 20 * random.next(),
    score: random.next(),
  }))
  return { groundTruths, detections: [...near, { ...near[0]!, x1: 350, x2: 380, score: random.next() }] }
})

t.test('a picture of weight n counts as n pictures', (t) => {
  const weights = Float64Array.from(images, () => random.integer(4))
  const copies = images.flatMap((image, index) => Array.from({ length: weights[index]! }, () => image))
  const weighted = averagePrecision(rankClasses(images.map(matchImage), 'all', 100)[0]!, weights)!
  const copied = averagePrecision(rankClasses(copies.map(matchImage), 'all', 100)[0]!)!
  t.equal(weighted.positives, copied.positives)
  for (let threshold = 0; threshold < 10; threshold++) {
    t.ok(Math.abs(weighted.precision[threshold]! - copied.precision[threshold]!) < 1e-12)
    t.ok(Math.abs(weighted.recall[threshold]! - copied.recall[threshold]!) < 1e-12)
  }
  t.end()
})

t.test('a class whose pictures all have weight 0 is not counted', (t) => {
  const [ranked] = rankClasses(images.map(matchImage), 'all', 100)
  t.equal(averagePrecision(ranked!, new Float64Array(images.length)), undefined)
  t.end()
})

t.test('a class without ground truth of the size is not ranked', (t) => {
  t.same(rankClasses(images.map(matchImage), 'large', 100), [])
  t.equal(rankClasses(images.map(matchImage), 'medium', 100).length, 1)
  t.end()
})
