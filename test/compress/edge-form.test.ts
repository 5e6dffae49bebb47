import t from 'tap'
import { toEdgeForm } from '../../src/compress/edge-form.js'
import { exportModel } from '../../src/onnx/export-model.js'
import { importModel } from '../../src/onnx/import-model.js'
import { opsetOf } from '../../src/onnx/opset.js'
import { openDetector } from '../../src/runtime/detector.js'
import type { Detection, DetectionOptions } from '../../src/yolo/detection.js'
import { letterbox } from '../../src/yolo/letterbox.js'
import { describeModel, type ModelDescription } from '../../src/yolo/model-description.js'
import { floatFromHalf } from '../../src/onnx/half-float.js'
import { withFloatEnds } from '../../src/cli/model-file.js'
import { exportNames, halfExportNames, readExport } from '../helpers/exports.js'

/** Everything above a score of 0.0001, no box suppressed: rounding must not decide which box wins. */
const everything: DetectionOptions = { conf: 0.0001, iou: 1, maxDet: 3000, multiLabel: true }

async function detections(bytes: Uint8Array, description: ModelDescription): Promise<readonly Detection[]> {
  const size = { width: description.inputWidth, height: description.inputHeight }
  const pixels = new SharedArrayBuffer(size.width * size.height * 3)
  const values = new Uint8Array(pixels)
  for (let at = 0; at < values.length; at++) values[at] = (at * 7919) % 251
  const detector = await openDetector({ bytes, description }, { intraOpThreads: 1, warmUpRuns: 1 })
  try {
    const frame = { pixels, byteOffset: 0, letterbox: letterbox(size, size) }
    return (await detector.detect(frame, everything)).detections
  } finally {
    await detector.close()
  }
}

/** The largest difference, of a score or of a side in pixels, to the nearest detection of the same class. */
function furthest(from: readonly Detection[], to: readonly Detection[]): number {
  let largest = 0
  for (const a of from) {
    const distances = to
      .filter(({ classIndex }) => classIndex === a.classIndex)
      .map((b) =>
        Math.max(...(['score', 'x1', 'y1', 'x2', 'y2'] as const).map((key) => Math.abs(a[key] - b[key]))),
      )
    largest = Math.max(largest, Math.min(...distances))
  }
  return largest
}

for (const name of exportNames.filter((each) => !each.includes('batch2'))) {
  t.test(`${name}: bytes in and raw heads out, the same detections`, async (t) => {
    const bytes = readExport(name)
    const graph = importModel(bytes)
    const edge = toEdgeForm(graph)
    const description = describeModel(edge)
    t.match(description, { inputLayout: 'nhwc-uint8', output: { kind: 'heads' } })
    t.ok(opsetOf(edge) >= 17)
    t.notOk(edge.nodes.some(({ opType }) => opType === 'Identity' || opType === 'BatchNormalization'))
    const before = await detections(bytes, describeModel(graph))
    const after = await detections(exportModel(edge), description)
    t.ok(before.length > 10, `${before.length} detections`)
    t.equal(after.length, before.length)
    const difference = Math.max(furthest(before, after), furthest(after, before))
    t.ok(difference < 1e-4, `largest difference ${difference}`)
    t.equal(toEdgeForm(edge), edge, 'once is enough')
  })
}

t.test('a model that takes several pictures at once is refused', (t) => {
  const graph = importModel(readExport(exportNames.find((each) => each.includes('batch2'))!))
  t.throws(() => toEdgeForm(graph), { code: 'model.not_yolov8' })
  t.end()
})

for (const name of halfExportNames) {
  t.test(`${name}: computed in single precision, with the very same weights`, async (t) => {
    const graph = withFloatEnds(importModel(readExport(name)))
    const edge = toEdgeForm(graph)
    t.notOk([...edge.initializers.values()].some(({ type }) => type === 'float16'))
    t.notOk(edge.nodes.some(({ opType }) => opType === 'Identity'))
    t.match(describeModel(edge), { inputLayout: 'nhwc-uint8', output: { kind: 'heads' } })
    const weights = edge.nodes.flatMap(({ opType, inputs }) => (opType === 'Conv' ? inputs.slice(1) : []))
    let compared = 0
    for (const weight of weights) {
      const half = graph.initializers.get(weight)
      if (half?.type !== 'float16') continue
      t.same(edge.initializers.get(weight)?.data, Float32Array.from(half.data, floatFromHalf))
      compared++
    }
    t.ok(compared > 100, `${compared} tensors`)
    const [before, after] = [
      await detections(exportModel(graph), describeModel(graph)),
      await detections(exportModel(edge), describeModel(edge)),
    ]
    t.ok(before.length > 10, `${before.length} detections`)
    // ONNX Runtime rounds some activations to half floats, of eleven bits: a part of a pixel in a box.
    const difference = Math.max(furthest(before, after), furthest(after, before))
    t.ok(difference < 0.1, `largest difference ${difference}`)
  })
}
