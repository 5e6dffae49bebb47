import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { graphRunner } from '../../../src/cli/compress/graph-runner.js'
import { toEdgeForm } from '../../../src/compress/edge-form.js'
import { calibrationMethods } from '../../../src/compress/quantization/calibration/range-methods.js'
import { calibrate, quantize } from '../../../src/compress/quantization/quantize.js'
import { int8Target } from '../../../src/compress/quantization/targets.js'
import { importModel } from '../../../src/onnx/import-model.js'
import { findHead } from '../../../src/yolo/find-head.js'
import { projectRoot } from '../../helpers/paths.js'

const runner = graphRunner({ intraOpThreads: 1 })

t.test('no level caps its scores, whatever the pictures to calibrate with show', async (t) => {
  const network = toEdgeForm(importModel(readFileSync(join(projectRoot, 'models', 'parts', 'parts.onnx'))))
  const gray = {
    count: 2,
    read: (index: number, { width, height }: { width: number; height: number }) =>
      Promise.resolve(new Uint8Array(3 * width * height).fill(9 * index)),
  }
  const name = 'x64-vnni'
  const options = { target: int8Target(name), method: 'silu', biasCorrection: true } as const
  const calibration = await calibrate(network, options, runner, gray)
  for (const method of calibrationMethods) {
    const { scales } = quantize(network, calibration, { ...options, method })
    for (const { cls, box } of findHead(network).levels) {
      const { scale, zeroPoint } = scales.get(cls.value)!
      const [lowest, highest] = [-zeroPoint * scale, (255 - zeroPoint) * scale]
      t.ok(1 / (1 + Math.exp(-highest)) > 0.985, `${name} ${method} ${cls.value}: up to ${highest}`)
      t.ok(1 / (1 + Math.exp(-lowest)) < 0.001, `${name} ${method} ${cls.value}: down to ${lowest}`)
      const bins = scales.get(box.value)!
      const spread = 255 * bins.scale
      t.ok(15 * Math.exp(-spread) < 0.001, `${name} ${method} ${box.value}: a bin of ${spread} decides`)
    }
  }
})
