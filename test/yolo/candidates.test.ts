import t from 'tap'
import { seededRandom } from '../../src/base/random.js'
import { CandidateList } from '../../src/yolo/candidates.js'

t.test('ranks by falling score, then anchor, then class, and gives back what was put in', (t) => {
  const random = seededRandom(5)
  const list = new CandidateList(33_600, 365)
  const expected = Array.from({ length: 5000 }, () => ({
    anchor: random.integer(33_600),
    classIndex: random.integer(365),
    score: Math.fround(
      random.integer(2) === 0 ? 0.001 + random.next() / 1.01 : random.integer(9) / 10 + 0.05,
    ),
  }))
  for (const { anchor, classIndex, score } of expected) list.push(anchor, classIndex, score)
  list.rank(Infinity)
  expected.sort((a, b) => b.score - a.score || a.anchor - b.anchor || a.classIndex - b.classIndex)
  const found = expected.map((_, rank) => ({
    anchor: list.anchorAt(rank),
    classIndex: list.classAt(rank),
    score: list.scoreAt(rank),
  }))
  t.same(found, expected)
  t.end()
})

t.test('keeps the best of too many and nothing after clear', (t) => {
  const list = new CandidateList(10, 2)
  for (let anchor = 0; anchor < 10; anchor++) list.push(anchor, 1, anchor / 10)
  list.rank(3)
  t.equal(list.length, 3)
  t.same([list.anchorAt(0), list.anchorAt(1), list.anchorAt(2)], [9, 8, 7])
  list.clear()
  t.equal(list.length, 0)
  t.end()
})

t.test('limits scores to 1 and leaves out what is no score', (t) => {
  const list = new CandidateList(10, 2)
  list.push(4, 1, 1.0004)
  for (const score of [NaN, 0, -0.5, 1e-30]) list.push(1, 0, score)
  list.rank(Infinity)
  t.equal(list.length, 1)
  t.same([list.anchorAt(0), list.classAt(0), list.scoreAt(0)], [4, 1, 1])
  t.end()
})
