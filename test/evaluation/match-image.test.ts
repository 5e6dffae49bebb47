import t from 'tap'
import type { GroundTruth } from '../../src/evaluation/ground-truth.js'
import { iouThresholds, matchImage } from '../../src/evaluation/match-image.js'
import type { Detection } from '../../src/yolo/detection.js'

const everyThreshold = 0b1111111111

function truth(x: number, width: number, more: Partial<GroundTruth> = {}): GroundTruth {
  return { classIndex: 0, x1: x, y1: 0, x2: x + width, y2: 40, area: width * 40, crowd: false, ...more }
}

function found(x: number, width: number, score: number): Detection {
  return { classIndex: 0, score, x1: x, y1: 0, x2: x + width, y2: 40 }
}

t.test('thresholds are the floats of numpy.linspace', (t) => {
  // numpy 2.4.6: np.linspace(.5, 0.95, 10).tolist()
  t.same(iouThresholds, [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.8999999999999999, 0.95])
  t.end()
})

t.test('a detection matches at the thresholds that its overlap reaches', (t) => {
  const [matches] = matchImage({ groundTruths: [truth(0, 100)], detections: [found(0, 70, 0.9)] }).all
  t.equal(matches!.positives, 1)
  t.same([...matches!.matched], [0b11111], 'an overlap of 0.7: 0.50 to 0.70')
  t.same([...matches!.ignored], [0])
  t.end()
})

t.test('detections are listed by falling score, equal ones in their order, at most 100', (t) => {
  const detections = [found(0, 10, 0.2), found(0, 20, 0.8), found(0, 100, 0.8)]
  const [matches] = matchImage({ groundTruths: [truth(0, 100)], detections }).all
  t.same([...matches!.scores], [0.8, 0.8, 0.2])
  t.same([...matches!.matched], [0, everyThreshold, 0])
  const many = Array.from({ length: 130 }, () => found(0, 10, 0.5))
  t.equal(matchImage({ groundTruths: [], detections: many }).all[0]!.scores.length, 100)
  t.end()
})

t.test('an object that counts is preferred to a crowd that overlaps more', (t) => {
  const groundTruths = [truth(0, 100, { crowd: true }), truth(0, 60)]
  const detections = [found(0, 100, 0.9), found(0, 100, 0.8)]
  const [matches] = matchImage({ groundTruths, detections }).all
  t.equal(matches!.positives, 1)
  t.same([...matches!.matched], [everyThreshold, everyThreshold])
  t.same(
    [...matches!.ignored],
    [everyThreshold & ~0b111, everyThreshold],
    '0.6 is enough for 0.50, 0.55, 0.60',
  )
  t.end()
})

t.test('outside of a range of sizes, objects are ignored and unmatched detections too', (t) => {
  const groundTruths = [truth(0, 20), truth(200, 200)]
  const detections = [found(0, 20, 0.9), found(200, 200, 0.8), found(500, 220, 0.7), found(800, 10, 0.6)]
  const image = matchImage({ groundTruths, detections })
  t.equal(image.small[0]!.positives, 1)
  t.same([...image.small[0]!.ignored], [0, everyThreshold, everyThreshold, 0])
  t.equal(image.medium[0]!.positives, 1)
  t.same([...image.medium[0]!.ignored], [everyThreshold, 0, 0, everyThreshold])
  t.end()
})

t.test('classes do not mix', (t) => {
  const groundTruths = [truth(0, 50, { classIndex: 2 })]
  const matches = matchImage({ groundTruths, detections: [found(0, 50, 0.9)] }).all
  t.same(
    matches.map(({ classIndex, positives, matched }) => [classIndex, positives, ...matched]),
    [
      [2, 1],
      [0, 0, 0],
    ],
  )
  t.end()
})
