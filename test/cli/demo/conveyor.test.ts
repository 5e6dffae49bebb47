import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openDataset } from '../../../src/cli/dataset/open-dataset.js'
import { drawConveyor, drawGoldenSet, ownModel } from '../../../src/cli/demo/conveyor.js'
import { accuracyLine } from '../../../src/cli/demo/view.js'
import { Tally } from '../../../src/cli/demo/tally.js'
import { readDetectorFile } from '../../../src/cli/model-file.js'
import { partNames } from '../../../src/training/conveyor/part-shapes.js'

const latency = { preprocessMs: 0, inferenceMs: 1, decodeMs: 0, totalMs: 2 }

t.test(
  'the conveyor is a loop of pictures whose truth is known; what finds all of it has mAP 1',
  async (t) => {
    const folder = join(t.testdir(), 'pictures')
    const source = await drawConveyor(folder, () => undefined)
    t.equal(readdirSync(folder).length, source.pictures)
    t.same(source.truthOf(1 + source.pictures), source.truthOf(1), 'the loop starts over')
    const tally = new Tally(partNames, source.truthOf)
    for (let frameId = 1; frameId <= source.pictures; frameId++) {
      const { groundTruths } = source.truthOf(frameId)
      const detections = groundTruths.map((truth) => ({ ...truth, score: 0.9 }))
      const named = { model: 'parts', version: '1.0.0', variant: 'a', width: 320, height: 320 }
      tally.addFrame({ frameId, capturedAtMs: 0, ...named, detections, latency }, frameId)
    }
    const { accuracy } = tally.summary()
    t.match(accuracy, { pictures: source.pictures, map: 1, map50: 1 })
    t.match(accuracyLine(accuracy!), /mAP50 1\.000 {2}mAP50-95 1\.000 {2}on 120 pictures/)
  },
)

t.test('the own model is there: detectors of parts, the float one first', async (t) => {
  const paths = await ownModel()
  t.ok(paths.length > 0)
  for (const path of paths) t.same((await readDetectorFile(path)).description.classNames, [...partNames])
  t.match(paths[0], /parts\.onnx$/)
})

t.test('the golden set is a labelled data set', async (t) => {
  const path = await drawGoldenSet(join(t.testdir(), 'set'))
  const { images } = await openDataset(path, partNames, { note: () => undefined })
  t.equal(images.length, 24)
  t.ok(images.every(({ groundTruths }) => groundTruths.length > 0))
})
