import t from 'tap'
import { CandidateList } from '../../src/yolo/candidates.js'
import { nonMaxSuppression } from '../../src/yolo/non-max-suppression.js'

type Row = readonly [score: number, classIndex: number, x1: number, y1: number, x2: number, y2: number]

function suppress(rows: readonly Row[], options: { iou: number; maxDet: number }): number[] {
  const candidates = new CandidateList(rows.length, 3)
  for (const [anchor, [score, classIndex]] of rows.entries()) candidates.push(anchor, classIndex, score)
  const kept = nonMaxSuppression(
    candidates,
    (anchor, into) => {
      into.set(rows[anchor]!.slice(2))
    },
    options,
  )
  return kept.map((box) => rows.findIndex((row) => Math.fround(row[0]) === box.score))
}

const options = { iou: 0.5, maxDet: 300 }

t.test('of overlapping boxes of one class the best stays', (t) => {
  const rows: Row[] = [
    [0.7, 0, 0, 0, 10, 10],
    [0.9, 0, 1, 0, 11, 10],
    [0.8, 0, 50, 50, 60, 60],
  ]
  t.same(suppress(rows, options), [1, 2])
  t.end()
})

t.test('boxes of different classes do not compete', (t) => {
  const rows: Row[] = [
    [0.7, 0, 0, 0, 10, 10],
    [0.9, 1, 0, 0, 10, 10],
  ]
  t.same(suppress(rows, options), [1, 0])
  t.end()
})

t.test('a suppressed box suppresses nothing itself', (t) => {
  const rows: Row[] = [
    [0.9, 0, 0, 0, 10, 10],
    [0.8, 0, 3, 0, 13, 10],
    [0.7, 0, 6, 0, 16, 10],
  ]
  t.same(suppress(rows, options), [0, 2])
  t.end()
})

t.test('an overlap of exactly the limit is allowed', (t) => {
  const rows: Row[] = [
    [0.9, 0, 0, 0, 10, 10],
    [0.8, 0, 0, 0, 10, 5],
  ]
  t.same(suppress(rows, options), [0, 1])
  t.same(suppress(rows, { ...options, iou: 0.499 }), [0])
  t.end()
})

t.test('ends at the largest number of detections', (t) => {
  const rows = Array.from({ length: 9 }, (_, at): Row => [
    0.9 - at / 100,
    at % 3,
    at * 20,
    0,
    at * 20 + 10,
    10,
  ])
  t.same(suppress(rows, { iou: 0.5, maxDet: 4 }), [0, 1, 2, 3])
  t.same(suppress(rows, { iou: 0.5, maxDet: 0 }), [])
  t.end()
})

t.test('boxes without area stay', (t) => {
  const rows: Row[] = [
    [0.9, 0, 5, 5, 5, 5],
    [0.8, 0, 5, 5, 5, 5],
  ]
  t.same(suppress(rows, options), [0, 1])
  t.end()
})
