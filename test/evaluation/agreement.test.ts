import t from 'tap'
import { compareDetections, largestScoreDifference } from '../../src/evaluation/agreement.js'
import type { Detection } from '../../src/yolo/detection.js'

function found(classIndex: number, x: number, score: number): Detection {
  return { classIndex, score, x1: x, y1: 0, x2: x + 10, y2: 10 }
}

t.test('a model agrees with itself', (t) => {
  const pictures = [[found(0, 0, 0.9), found(1, 0, 0.8)], [], [found(0, 50, 0.4)]]
  t.match(compareDetections(pictures, pictures), {
    both: 3,
    onlyReference: 0,
    onlyCandidate: 0,
    f1: 1,
    meanIou: 1,
    meanScoreShift: 0,
    meanAbsoluteScoreShift: 0,
  })
  t.end()
})

t.test('counts what only one model finds, by class', (t) => {
  const reference = [[found(0, 0, 0.9), found(1, 100, 0.8)]]
  const candidate = [[found(0, 1, 0.7), found(0, 200, 0.6), found(2, 100, 0.8)]]
  const agreement = compareDetections(reference, candidate)
  t.match(agreement, { both: 1, onlyReference: 1, onlyCandidate: 2, f1: 2 / 5 })
  t.ok(Math.abs(agreement.meanScoreShift + 0.2) < 1e-12)
  t.ok(Math.abs(agreement.meanIou - 9 / 11) < 1e-12)
  t.same(agreement.perClass, [
    { classIndex: 0, both: 1, onlyReference: 0, onlyCandidate: 1, f1: 2 / 3 },
    { classIndex: 1, both: 0, onlyReference: 1, onlyCandidate: 0, f1: 0 },
    { classIndex: 2, both: 0, onlyReference: 0, onlyCandidate: 1, f1: 0 },
  ])
  t.end()
})

t.test('each detection is paired once, with the best partner', (t) => {
  const agreement = compareDetections([[found(0, 0, 0.9), found(0, 1, 0.8)]], [[found(0, 0, 0.5)]])
  t.match(agreement, { both: 1, onlyReference: 1, onlyCandidate: 0, meanIou: 1 })
  t.end()
})

t.test('a pair needs the given overlap', (t) => {
  const [reference, candidate] = [[[found(0, 0, 0.9)]], [[found(0, 4, 0.9)]]]
  t.equal(compareDetections(reference, candidate).f1, 0)
  t.equal(compareDetections(reference, candidate, 0.4).f1, 1)
  t.end()
})

t.test('scores that move up and down do not cancel out in the absolute shift', (t) => {
  const reference = [[found(0, 0, 0.5), found(0, 100, 0.5)]]
  const candidate = [[found(0, 0, 0.75), found(0, 100, 0.25)]]
  t.match(compareDetections(reference, candidate), { meanScoreShift: 0, meanAbsoluteScoreShift: 0.25 })
  t.end()
})

t.test('two models that find nothing agree', (t) => {
  t.match(compareDetections([[], []], [[], []]), { f1: 1, both: 0, perClass: [] })
  t.end()
})

t.test('the largest difference is that of one object, whichever model gives it more', (t) => {
  const [reference, candidate] = [
    [[found(0, 0, 0.9), found(0, 100, 0.5)]],
    [[found(0, 0, 0.8), found(0, 101, 0.2)]],
  ]
  for (const [one, other] of [
    [reference, candidate],
    [candidate, reference],
  ] as const)
    t.ok(Math.abs(largestScoreDifference(one, other, 0.25) - 0.3) < 1e-12)
  t.ok(Math.abs(largestScoreDifference(reference, candidate, 0.6) - 0.1) < 1e-12, 'only sure objects count')
  t.equal(largestScoreDifference([[found(0, 0, 0.7)]], [[found(1, 0, 0.7)]], 0.25), 0.7, 'another class')
  t.equal(largestScoreDifference([[found(0, 0, 0.7)]], [[]], 0.25), 0.7, 'not there at all')
  t.equal(largestScoreDifference([[found(0, 0, 0.2)]], [[]], 0.25), 0)
  t.end()
})
