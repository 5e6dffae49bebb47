import t from 'tap'
import { Tally } from '../../../src/cli/demo/tally.js'
import { viewLines } from '../../../src/cli/demo/view.js'
import { exampleFrame, exampleReported } from '../../helpers/example-messages.js'

t.test('the view names the model, the rates and the detections, best first', (t) => {
  const tally = new Tally(['bottle', 'person'])
  t.match(viewLines(tally, 80, 24)[0], 'waiting for a model')
  tally.addReported(exampleReported)
  t.ok(viewLines(tally, 80, 24).includes('nothing in sight'))
  tally.addFrame(
    exampleFrame([
      { classIndex: 1, score: 0.4 },
      { classIndex: 0, score: 0.9 },
    ]),
    0,
  )
  const lines = viewLines(tally, 80, 24)
  t.match(lines[0], /yolov8n 1\.0\.0 \(fp32, cpu\)/)
  t.match(lines.at(-2), /^bottle +0\.90/)
  t.match(lines.at(-1), /^person +0\.40/)
  t.end()
})

t.test('no line is wider than the terminal and no more rows than fit', (t) => {
  const tally = new Tally([])
  tally.addReported(exampleReported)
  tally.addFrame(exampleFrame(Array.from({ length: 100 }, () => ({ classIndex: 0, score: 0.5 }))), 0)
  const lines = viewLines(tally, 20, 12)
  t.ok(lines.every((line) => line.length <= 20))
  t.ok(lines.length <= 12)
  t.end()
})
