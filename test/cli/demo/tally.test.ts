import t from 'tap'
import { Tally } from '../../../src/cli/demo/tally.js'
import { exampleFrame, exampleReported } from '../../helpers/example-messages.js'

t.test('frames are counted by class, with rates from the arrival times', (t) => {
  const tally = new Tally(['bottle', 'person'])
  tally.addFrame(
    exampleFrame([
      { classIndex: 0, score: 0.5 },
      { classIndex: 0, score: 0.9 },
    ]),
    1000,
  )
  tally.addFrame(exampleFrame([{ classIndex: 1, score: 0.4 }]), 1500)
  tally.addFrame(exampleFrame([]), 2000)
  const summary = tally.summary()
  t.match(summary, { frames: 3, framesWithDetections: 2, seconds: 1, fps: 2 })
  t.same(summary.detections, [
    { name: 'bottle', frames: 1, detections: 2, bestScore: 0.9 },
    { name: 'person', frames: 1, detections: 1, bestScore: 0.4 },
  ])
  t.equal(tally.nameOf(7), 'class 7')
  t.end()
})

t.test('before anything arrives the summary is empty', (t) => {
  t.match(new Tally([]).summary(), { model: undefined, frames: 0, fps: 0, detections: [] })
  t.end()
})

t.test('the model is the one the device reports', (t) => {
  const tally = new Tally([])
  tally.addReported(exampleReported)
  t.match(tally.summary(), { model: { name: 'yolov8n', version: '1.0.0', variant: 'fp32' }, provider: 'cpu' })
  t.end()
})
