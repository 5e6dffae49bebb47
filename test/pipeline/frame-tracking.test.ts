import t from 'tap'
import { FrameTracking } from '../../src/pipeline/frame-tracking.js'
import { predictionOptions } from '../../src/yolo/detection.js'
import { TestClock } from '../helpers/test-clock.js'

const found = (x: number, score: number): Parameters<FrameTracking['track']>[0][number] => ({
  ...{ classIndex: 0, score },
  ...{ x1: x, y1: 10, x2: x + 40, y2: 60 },
})

t.test('faint detections are asked for, and handed on only where they continue a track', (t) => {
  const tracking = new FrameTracking({ reportedScore: 0.25, lowScore: 0.1 }, new TestClock())
  t.equal(tracking.detectionOptions(predictionOptions).conf, 0.1)
  t.match(tracking.track([found(0, 0.9), found(200, 0.15)], 0, 640, 480), { trackIds: [1] })
  const { detections, trackIds } = tracking.track([found(1, 0.15), found(300, 0.3)], 33, 640, 480)
  t.same(trackIds, [1, 0])
  t.equal(detections.length, 2, 'one continues a track, one has score enough')
  t.end()
})

t.test('ids go on over a picture of another size and a clock that is set', (t) => {
  const clock = new TestClock()
  const tracking = new FrameTracking({ reportedScore: 0.25 }, clock)
  const idOf = (wallMs: number, x: number, width: number): number => {
    clock.advance(33)
    return tracking.track([{ ...found(x, 0.9) }], wallMs, width, 480).trackIds[0]!
  }
  const ids = [idOf(1e12, 0, 640), idOf(1e12 + 33, 2, 640), idOf(1e12 - 9e6, 4, 640), idOf(2e12, 6, 640)]
  t.same(ids, [1, 1, 1, 1])
  clock.advance(33)
  const wide = { classIndex: 0, score: 0.9, x1: 16, y1: 10, x2: 96, y2: 60 }
  t.same(tracking.track([wide], 2e12 + 33, 1280, 480).trackIds, [1])
  t.end()
})
