import t from 'tap'
import { seededRandom } from '../../src/base/random.js'
import { boxIou } from '../../src/yolo/boxes.js'
import { decodeDetections } from '../../src/yolo/decode.js'
import { predictionOptions, validationOptions, type DetectionOptions } from '../../src/yolo/detection.js'
import { letterbox } from '../../src/yolo/letterbox.js'
import { byteHeads, decodedModel, exportTail, headsModel, randomHeads, tiledHeads } from '../helpers/heads.js'

const side = 64
const classCount = 5
const picture = letterbox({ width: 100, height: 75 }, { width: side, height: side })
const heads = randomHeads(side, classCount, seededRandom(1), { mean: -2, spread: 2 })
const decoded = exportTail(heads, side, classCount)
const edge = headsModel(side, classCount)
const exported = decodedModel(side, classCount)

t.test('raw heads and the output of the export give the same detections', (t) => {
  for (const options of [predictionOptions, validationOptions, { ...validationOptions, maxDet: 7 }]) {
    const fromHeads = decodeDetections(heads, edge, picture, options)
    const fromExport = decodeDetections(decoded, exported, picture, options)
    t.ok(fromHeads.length > 5)
    t.equal(fromHeads.length, fromExport.length)
    for (const [index, detection] of fromHeads.entries()) {
      const other = fromExport[index]!
      t.equal(detection.classIndex, other.classIndex)
      t.ok(Math.abs(detection.score - other.score) < 1e-6)
      const largest = Math.max(
        ...(['x1', 'y1', 'x2', 'y2'] as const).map((key) => Math.abs(detection[key] - other[key])),
      )
      t.ok(largest < 1e-3, `corners differ by ${largest}`)
    }
  }
  t.end()
})

t.test('heads in bytes give exactly the detections of the numbers that they stand for', (t) => {
  const { bytes, rounded, described } = byteHeads(heads, edge)
  for (const options of [predictionOptions, validationOptions, { ...validationOptions, multiLabel: false }]) {
    const found = decodeDetections(bytes, described, picture, options)
    t.ok(found.length > 5)
    t.same(found, decodeDetections(rounded, edge, picture, options))
  }
  t.throws(() => decodeDetections(rounded, described, picture, predictionOptions), {
    code: 'inference.output_invalid',
    message: /p3_cls has floats, expected bytes/,
  })
  t.throws(() => decodeDetections(bytes, edge, picture, predictionOptions), {
    code: 'inference.output_invalid',
    message: /p3_cls has bytes, expected floats/,
  })
  t.end()
})

t.test('boxes by tiles give exactly the detections of the whole maps', (t) => {
  const { bytes, described } = byteHeads(heads, edge)
  for (const tile of [
    { height: 3, width: 2 },
    { height: 8, width: 8 },
  ]) {
    const all = tiledHeads(bytes, described, tile, () => true)
    for (const options of [predictionOptions, validationOptions])
      t.same(
        decodeDetections(all.outputs, all.tiled, picture, options),
        decodeDetections(bytes, described, picture, options),
      )
  }
  t.end()
})

t.test('a tile that is missing, and outputs that do not fit each other, are errors', (t) => {
  const { bytes, described } = byteHeads(heads, edge)
  const some = tiledHeads(bytes, described, { height: 3, width: 2 }, (tile) => tile !== 1)
  t.throws(() => decodeDetections(some.outputs, some.tiled, picture, validationOptions), {
    code: 'inference.output_invalid',
    message: /output p\d_box_tiles has no boxes for tile 1, in which the scores see an object/,
  })
  const all = tiledHeads(bytes, described, { height: 3, width: 2 }, () => true)
  all.outputs.set('p3_box_tiles', Int32Array.of(0))
  t.throws(() => decodeDetections(all.outputs, all.tiled, picture, validationOptions), {
    message: /p3_box has \d+ values, expected 384/,
  })
  all.outputs.set('p3_box_tiles', Uint8Array.of(0))
  t.throws(() => decodeDetections(all.outputs, all.tiled, picture, validationOptions), {
    message: /p3_box_tiles has bytes, expected int32/,
  })
  t.end()
})

t.test('detections are those of a plain search over all anchors', (t) => {
  for (const options of [predictionOptions, validationOptions]) {
    const expected = plainSearch(decoded.get('output0')!, options)
    const found = decodeDetections(decoded, exported, picture, options)
    t.same(
      found.map(({ classIndex, score }) => ({ classIndex, score })),
      expected.map(({ classIndex, score }) => ({ classIndex, score })),
    )
  }
  t.end()
})

t.test('detections lie inside the picture and come best first', (t) => {
  const found = decodeDetections(heads, edge, picture, validationOptions)
  t.ok(found.every((box) => box.x1 >= 0 && box.y1 >= 0 && box.x2 <= 100 && box.y2 <= 75))
  t.ok(found.every((box) => box.x1 <= box.x2 && box.y1 <= box.y2))
  t.ok(found.every((box, index) => index === 0 || found[index - 1]!.score >= box.score))
  t.end()
})

t.test('a score must be above the threshold, not at it', (t) => {
  const outputs = new Map([['output0', new Float32Array(5 * 84)]])
  const values = outputs.get('output0')!
  for (const [row, value] of [20, 20, 8, 8, 0.25].entries()) values[row * 84 + 3] = value
  const one = decodedModel(side, 1)
  t.equal(decodeDetections(outputs, one, picture, predictionOptions).length, 0)
  values[4 * 84 + 3] = 0.2500001
  t.equal(decodeDetections(outputs, one, picture, predictionOptions).length, 1)
  t.end()
})

t.test('values that are not numbers are never detections', (t) => {
  const broken = new Map([['output0', new Float32Array((4 + classCount) * 84).fill(NaN)]])
  t.same(decodeDetections(broken, exported, picture, validationOptions), [])
  t.end()
})

t.test('a description decodes pictures one after the other without a trace of the one before', (t) => {
  const first = decodeDetections(heads, edge, picture, validationOptions)
  const empty = randomHeads(side, classCount, seededRandom(2), { mean: -30, spread: 0.1 })
  t.same(decodeDetections(empty, edge, picture, validationOptions), [])
  t.same(decodeDetections(heads, edge, picture, validationOptions), first)
  t.end()
})

t.test('a missing output and one of the wrong size are refused by name', (t) => {
  t.throws(() => decodeDetections(new Map(), exported, picture, predictionOptions), {
    code: 'inference.output_invalid',
    message: /output0/,
  })
  t.throws(
    () =>
      decodeDetections(new Map([['output0', new Float32Array(100)]]), exported, picture, predictionOptions),
    { code: 'inference.output_invalid', message: /100 values, expected a multiple of 9/ },
  )
  const short = new Map(heads).set('p4_cls', new Float32Array(3))
  t.throws(() => decodeDetections(short, edge, picture, predictionOptions), {
    code: 'inference.output_invalid',
    message: /p4_cls has 3 values, expected 80/,
  })
  t.end()
})

/** The same protocol, written without regard to speed. */
function plainSearch(
  output: Float32Array,
  options: DetectionOptions,
): { classIndex: number; score: number }[] {
  const anchors = 84
  const all = Array.from({ length: anchors }, (_, anchor) => {
    const [x = 0, y = 0, w = 0, h = 0] = [0, 1, 2, 3].map((row) => output[row * anchors + anchor]!)
    const scores = Array.from({ length: classCount }, (_, index) => output[(4 + index) * anchors + anchor]!)
    const best = scores.indexOf(Math.max(...scores))
    const box = { x1: x - w / 2, y1: y - h / 2, x2: x + w / 2, y2: y + h / 2 }
    return scores
      .map((score, classIndex) => ({ ...box, score, classIndex }))
      .filter((each) => options.multiLabel || each.classIndex === best)
  }).flat()
  const waiting = all.filter((each) => each.score > options.conf).sort((a, b) => b.score - a.score)
  const kept: typeof waiting = []
  for (const each of waiting) {
    const clash = kept.some(
      (other) => other.classIndex === each.classIndex && boxIou(other, each) > options.iou,
    )
    if (!clash && kept.length < options.maxDet) kept.push(each)
  }
  return kept
}
