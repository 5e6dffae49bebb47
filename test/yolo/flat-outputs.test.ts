import t from 'tap'
import { toEdgeForm } from '../../src/compress/edge-form.js'
import { exportModel } from '../../src/onnx/export-model.js'
import type { Dim, Graph } from '../../src/onnx/graph.js'
import { importModel } from '../../src/onnx/import-model.js'
import { openDetector } from '../../src/runtime/detector.js'
import type { Detection, DetectionOptions } from '../../src/yolo/detection.js'
import { letterbox } from '../../src/yolo/letterbox.js'
import { describeModel, requireRawHeads } from '../../src/yolo/model-description.js'
import { exportForms, withFinalBoxes, withFurtherBranch } from '../helpers/export-forms.js'
import { readExport } from '../helpers/exports.js'

const network = importModel(readExport('newest'))
const withoutMetadata: Graph = { ...network, metadata: new Map() }
/** No box suppressed, so that rounding does not decide which box wins. */
const everything: DetectionOptions = { conf: 0.0001, iou: 1, maxDet: 3000, multiLabel: false }

async function detectionsOf(graph: Graph, options = everything): Promise<readonly Detection[]> {
  const description = describeModel(graph)
  const size = { width: description.inputWidth, height: description.inputHeight }
  const pixels = new SharedArrayBuffer(size.width * size.height * 3)
  new Uint8Array(pixels).forEach((_, at, bytes) => {
    bytes[at] = (at * 7919) % 251
  })
  const detector = await openDetector({ bytes: exportModel(graph), description }, { intraOpThreads: 1 })
  try {
    const frame = { pixels, byteOffset: 0, letterbox: letterbox(size, size) }
    return (await detector.detect(frame, options)).detections
  } finally {
    await detector.close()
  }
}

/** The largest difference of a score or a side to the nearest box of the class. */
function furthest(from: readonly Detection[], to: readonly Detection[]): number {
  return Math.max(
    ...from.map((a) =>
      Math.min(
        ...to
          .filter(({ classIndex }) => classIndex === a.classIndex)
          .map((b) =>
            Math.max(...(['score', 'x1', 'y1', 'x2', 'y2'] as const).map((key) => Math.abs(a[key] - b[key]))),
          ),
      ),
    ),
  )
}

for (const [name, form] of exportForms(network)) {
  t.test(`${name}: the detections of the export, served and in edge form`, async (t) => {
    const wanted = await detectionsOf(network)
    t.ok(wanted.length > 50, `${wanted.length} detections`)
    const served = await detectionsOf(form)
    t.equal(served.length, wanted.length)
    t.ok(Math.max(furthest(wanted, served), furthest(served, wanted)) < 1e-3)
    const edge = await detectionsOf(toEdgeForm(form))
    t.equal(edge.length, wanted.length)
    t.ok(Math.max(furthest(wanted, edge), furthest(edge, wanted)) < 1e-3)
  })
}

t.test('final boxes come as they are: none is suppressed, rows below the score are left out', async (t) => {
  const final = withFinalBoxes(network, 20)
  const { output, classNames } = describeModel(final)
  t.same(output, { kind: 'boxes', name: 'final', rows: 20 })
  t.equal(classNames.length, 3)
  const wanted = (await detectionsOf(network)).slice(0, 20)
  const found = await detectionsOf(final, { ...everything, iou: 0 })
  t.equal(found.length, 20)
  t.ok(furthest(wanted, found) < 1e-3)
  const scores = found.map(({ score }) => score)
  t.same(
    scores,
    scores.toSorted((a, b) => b - a),
  )
  const half = await detectionsOf(final, { ...everything, conf: scores[9]! })
  t.equal(half.length, 9)
  t.equal((await detectionsOf(final, { ...everything, maxDet: 4 })).length, 4)
})

t.test('final boxes are told by the operators behind the head, whatever shape and metadata say', (t) => {
  const final = withFinalBoxes(withoutMetadata, 20)
  t.same(describeModel(final).classNames, ['class_0', 'class_1', 'class_2'])
  const shapes: readonly (readonly Dim[])[] = [
    ['batch', 'rows', 'values'],
    [1, 'rows', 6],
    [1, undefined, undefined],
  ]
  for (const shape of shapes) {
    const open = { ...final, outputs: [{ ...final.outputs[0]!, shape }] }
    t.same(describeModel(open).output, { kind: 'boxes', name: 'final' }, JSON.stringify(shape))
  }
  t.end()
})

t.test('compression refuses final boxes and says how to export', (t) => {
  const final = withFinalBoxes(network, 20)
  t.throws(() => toEdgeForm(final), { code: 'model.op_unsupported', hint: /nms=None/ })
  t.throws(
    () => {
      requireRawHeads(describeModel(final))
    },
    { message: /selects its final boxes itself/ },
  )
  t.doesNotThrow(() => {
    requireRawHeads(describeModel(network))
  })
  t.end()
})

t.test('without metadata the head decides: poses and turned boxes are no detectors', (t) => {
  t.same(describeModel(withoutMetadata).classNames, ['class_0', 'class_1', 'class_2'])
  for (const channels of [1, 51, 32]) {
    t.throws(
      () => describeModel(withFurtherBranch(withoutMetadata, channels)),
      { code: 'model.not_yolov8', message: /outlines, poses or turned boxes/ },
      `${channels} channels more`,
    )
  }
  // With as many angles as classes there is no third kind of channels, but there are too many of one.
  t.throws(() => describeModel(withFurtherBranch(withoutMetadata, 3)), {
    code: 'model.not_yolov8',
    message: /as many branches of boxes as of classes/,
  })
  t.end()
})

t.test('scores that are no probabilities are refused by the first run', async (t) => {
  const logits = exportForms(network).get('apart')!
  const sigmoid = logits.nodes.find(({ opType }) => opType === 'Sigmoid' && true)
  t.ok(sigmoid)
  const last = logits.nodes.findLast(({ opType }) => opType === 'Sigmoid')!
  const open = {
    ...logits,
    nodes: logits.nodes.map((node) => (node === last ? { ...node, opType: 'Identity' } : node)),
  }
  await t.rejects(detectionsOf(open), {
    code: 'inference.output_invalid',
    message: /score of -.*expected probabilities/,
  })
})
