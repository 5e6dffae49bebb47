import t from 'tap'
import { trackingMetrics } from '../../src/evaluation/tracking-metrics.js'
import { Tracker, type TrackerOptions } from '../../src/tracking/tracker.js'
import type { Detection } from '../../src/yolo/detection.js'
import { conveyorSequence, type SequenceFrame } from '../helpers/conveyor-sequence.js'

const boxAt = (x: number, y = 100, score = 0.9, classIndex = 0): Detection => ({
  ...{ classIndex, score },
  ...{ x1: x, y1: y, x2: x + 60, y2: y + 60 },
})
const frameMs = 1000 / 30

function followed(
  frames: readonly SequenceFrame[],
  options: Partial<TrackerOptions> = {},
): ReturnType<typeof trackingMetrics> {
  const tracker = new Tracker(options)
  return trackingMetrics(
    frames.map(({ atMs, truth, detections }) => {
      const ids = tracker.update(detections, atMs)
      const tracked = detections.flatMap((box, index) =>
        ids[index]! > 0 ? [{ ...box, id: ids[index]! }] : [],
      )
      return { truth, tracked }
    }),
  )
}

t.test(
  'conveyors with hiding, crossing and leaving parts are followed at 5, 15 and 30 frames a second',
  (t) => {
    for (const kind of ['occlusion', 'crossing', 'leaving'] as const) {
      for (const fps of [5, 15, 30]) {
        const { hota, idf1, mota } = followed(conveyorSequence({ kind, fps, seconds: 12, seed: fps }))
        const words = `${kind} at ${fps}: HOTA ${hota.toFixed(3)}, IDF1 ${idf1.toFixed(3)}, MOTA ${mota.toFixed(3)}`
        t.ok(hota > 0.8 && idf1 > 0.9 && mota > 0.85, words)
      }
    }
    t.end()
  },
)

t.test('a gap in the frames, and a thing that is hidden for less than the buffer, keep their ids', (t) => {
  const tracker = new Tracker({ bufferMs: 1000 })
  let atMs = 0
  const idAt = (x: number, elapsedMs = frameMs): number => {
    atMs += elapsedMs
    return tracker.update([boxAt(x)], atMs)[0]!
  }
  for (let step = 0; step < 20; step++) idAt(step * 5)
  t.equal(idAt(19 * 5 + 60, 12 * frameMs), 1, 'twelve frames were dropped')
  for (let step = 0; step < 10; step++) tracker.update([], (atMs += frameMs))
  t.equal(idAt(19 * 5 + 60 + 55), 1, 'hidden for a third of a second')
  for (let step = 0; step < 40; step++) tracker.update([], (atMs += frameMs))
  t.equal(tracker.size, 0, 'gone after more than a second')
  t.equal(idAt(300), 2)
  t.end()
})

t.test('faint detections continue tracks and begin none', (t) => {
  const tracker = new Tracker()
  t.same([...tracker.update([boxAt(0), boxAt(300, 100, 0.15)], 0).subarray(0, 2)], [1, 0])
  t.same([...tracker.update([boxAt(2, 100, 0.15)], frameMs).subarray(0, 1)], [1])
  t.same([...tracker.update([boxAt(4, 100, 0.05)], 2 * frameMs).subarray(0, 1)], [0], 'too faint')
  t.end()
})

t.test('an uncertain detection gets its id when it is seen again', (t) => {
  const tracker = new Tracker()
  tracker.update([], 0)
  t.equal(tracker.update([boxAt(0, 100, 0.4)], frameMs)[0], 0)
  t.equal(tracker.update([boxAt(1, 100, 0.4)], 2 * frameMs)[0], 1)
  t.end()
})

t.test('classes: a mistaken frame keeps its id, unless classes are tracked apart', (t) => {
  for (const isPerClass of [false, true]) {
    const tracker = new Tracker({ isPerClass })
    tracker.update([boxAt(0)], 0)
    const [id] = tracker.update([boxAt(1, 100, 0.9, 1)], frameMs)
    t.equal(id, isPerClass ? 2 : 1)
  }
  t.end()
})

t.test('ids begin anew after the largest and pass over those in use', (t) => {
  const tracker = new Tracker({ idMax: 3, bufferMs: 0 })
  let atMs = 0
  const stays = boxAt(1000)
  const seen: number[] = []
  for (let round = 0; round < 6; round++) {
    const [first, second] = tracker.update([stays, boxAt(round * 150)], (atMs += frameMs))
    t.equal(first, 1)
    seen.push(second!)
    for (let step = 0; step < 4; step++) tracker.update([stays], (atMs += frameMs))
  }
  t.same(seen, [2, 3, 2, 3, 2, 3])
  t.end()
})

t.test('a clock that is set back, forward or stands still does not end tracks', (t) => {
  const tracker = new Tracker()
  const ids: number[] = []
  const times = [0, 33, 66, -5_000_000, -4_999_967, -4_999_967, 1e12, 1e12 + 33]
  for (const [step, atMs] of times.entries()) ids.push(tracker.update([boxAt(step * 3)], atMs)[0]!)
  t.same(
    ids,
    times.map(() => 1),
  )
  t.end()
})

t.test('a picture of another size goes on with the same ids', (t) => {
  const tracker = new Tracker()
  for (let step = 0; step < 5; step++) tracker.update([boxAt(step * 5)], step * frameMs)
  tracker.rescale(0.5, 0.5)
  const small = { classIndex: 0, score: 0.9, x1: 12.5, y1: 50, x2: 42.5, y2: 80 }
  t.equal(tracker.update([small], 5 * frameMs)[0], 1)
  t.end()
})

t.test('a crowd larger than the tracker was made for', (t) => {
  const tracker = new Tracker()
  const crowd = Array.from({ length: 300 }, (_, index) =>
    boxAt((index % 20) * 70, Math.floor(index / 20) * 70),
  )
  const first = [...tracker.update(crowd, 0).subarray(0, 300)]
  t.equal(new Set(first).size, 300)
  t.same([...tracker.update(crowd, frameMs).subarray(0, 300)], first)
  tracker.reset()
  t.equal(tracker.size, 0)
  t.end()
})
