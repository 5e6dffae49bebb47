import t from 'tap'
import type { Detection } from '../../src/yolo/detection.js'
import { DetectionFilter } from '../../src/zones/detection-filter.js'

const found = (classIndex: number, score: number, x: number, side = 20): Detection => ({
  ...{ classIndex, score },
  ...{ x1: x, y1: 40, x2: x + side, y2: 40 + side },
})

t.test('masks take out what stands in them, whatever the size of the picture', (t) => {
  const filter = new DetectionFilter({
    masks: [
      [
        [0, 0],
        [0.5, 0],
        [0.5, 1],
        [0, 1],
      ],
    ],
    filters: [],
  })
  const seen = [found(0, 0.9, 10), found(0, 0.9, 70), found(0, 0.9, 20)]
  filter.apply(seen, ['bolt'], 100, 100)
  t.same(
    seen.map(({ x1 }) => x1),
    [70],
  )
  const larger = [found(0, 0.9, 70)]
  filter.apply(larger, ['bolt'], 400, 100)
  t.same(larger, [])
  t.end()
})

t.test('a class has its own limits, or the common ones', (t) => {
  const limits = { minScore: 0, minArea: 0, maxArea: 1 }
  const filter = new DetectionFilter({
    masks: [],
    filters: [
      { ...limits, class: 'bolt', minScore: 0.5 },
      { ...limits, minArea: 0.02, maxArea: 0.1 },
    ],
  })
  const keptOf = (seen: Detection[], names: readonly string[]): readonly number[] => {
    filter.apply(seen, names, 100, 100)
    return seen.map(({ score }) => score)
  }
  t.same(
    keptOf(
      [found(0, 0.4, 0), found(0, 0.6, 0, 2), found(1, 0.3, 0), found(1, 0.2, 0, 10), found(1, 0.1, 0, 40)],
      ['bolt', 'nut'],
    ),
    [0.6, 0.3],
  )
  t.same(
    keptOf([found(0, 0.4, 0), found(1, 0.45, 0)], ['nut', 'bolt']),
    [0.4],
    'another model, another order',
  )
  t.same(keptOf([found(9, 0.4, 0, 10)], ['nut', 'bolt']), [], 'a class without a name')
  t.end()
})
