/** A model that selects its final boxes itself, from the publisher to the detections of a device. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { exportModel } from '../../src/onnx/export-model.js'
import { importModel } from '../../src/onnx/import-model.js'
import { AgentLab } from '../helpers/agent-lab.js'
import { withFinalBoxes } from '../helpers/export-forms.js'
import { readExport } from '../helpers/exports.js'

t.setTimeout(180_000)

t.test('final boxes are published, chosen, served and sent as they are', async (t) => {
  const lab = await AgentLab.start({ source: 'synthetic#fps=10', settings: { 'inference.conf': 0 } })
  t.teardown(() => lab.stop())
  const path = join(lab.folder, 'final.onnx')
  writeFileSync(path, exportModel(withFinalBoxes(importModel(readExport('newest')), 20)))
  const manifest = await lab.publish('1.0.0', [path])
  t.match(manifest.variants, [{ form: 'final' }])
  await lab.startAgent()
  await lab.wish('1.0.0')
  await lab.untilServing('1.0.0', 120_000)
  await lab.until('a frame is answered', ({ detections }) => detections?.version === '1.0.0')
  const { variant, width, height, detections } = lab.observed.detections!
  t.equal(variant, manifest.variants[0]!.id)
  t.ok(detections.length > 0 && detections.length <= 20, `${detections.length} of 20 boxes`)
  for (const { classIndex, score, x1, y1, x2, y2 } of detections) {
    t.ok(classIndex < 3 && score > 0 && score <= 1)
    t.ok(x1 >= 0 && y1 >= 0 && x2 <= width && y2 <= height && x1 <= x2 && y1 <= y2)
  }
})
