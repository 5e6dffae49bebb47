import { readFileSync } from 'node:fs'
import { brotliDecompressSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { seededRandom, shuffle } from '../../src/base/random.js'
import { evaluateDetections, type DetectionMetrics } from '../../src/evaluation/coco-eval.js'
import type { EvaluatedImage, GroundTruth } from '../../src/evaluation/ground-truth.js'
import type { Detection } from '../../src/yolo/detection.js'
import { fixture } from '../helpers/paths.js'

interface CocoCase {
  name: string
  images: number
  ground_truths: number[][]
  detections: number[][]
  expected: { stats: number[]; classes: [number, number, number, number][] }
}

const cases = JSON.parse(
  brotliDecompressSync(readFileSync(fixture('evaluation', 'coco-cases.json.br'))).toString(),
) as CocoCase[]

function imagesOf({ images, ground_truths: truths, detections }: CocoCase): EvaluatedImage[] {
  return Array.from({ length: images }, (_, image) => ({
    groundTruths: truths
      .filter(([each]) => each === image)
      .map(([, classIndex, x, y, width, height, area, crowd]) => ({
        ...corners(x!, y!, width!, height!),
        classIndex: classIndex!,
        area: area!,
        crowd: crowd === 1,
      })),
    detections: detections
      .filter(([each]) => each === image)
      .map(([, classIndex, x, y, width, height, score]) => ({
        ...corners(x!, y!, width!, height!),
        classIndex: classIndex!,
        score: score!,
      })),
  }))
}

function corners(x: number, y: number, width: number, height: number) {
  return { x1: x, y1: y, x2: x + width, y2: y + height }
}

function truth(
  x: number,
  y: number,
  width: number,
  height: number,
  more: Partial<GroundTruth> = {},
): GroundTruth {
  return { ...corners(x, y, width, height), classIndex: 0, area: width * height, crowd: false, ...more }
}

function found(
  x: number,
  y: number,
  width: number,
  height: number,
  score: number,
  classIndex = 0,
): Detection {
  return { ...corners(x, y, width, height), classIndex, score }
}

/** The figures in the order of COCOeval.summarize. */
function statsOf(metrics: DetectionMetrics): number[] {
  const { map, map50, map75, mapSmall, mapMedium, mapLarge } = metrics
  const { recall1, recall10, recall100, recallSmall, recallMedium, recallLarge } = metrics
  return [
    ...[map, map50, map75, mapSmall, mapMedium, mapLarge],
    ...[recall1, recall10, recall100, recallSmall, recallMedium, recallLarge],
  ].map((value) => value ?? -1)
}

function isClose(t: Test, value: number, expected: number, what: string): void {
  t.ok(Math.abs(value - expected) < 1e-12, `${what}: ${value}, expected ${expected}`)
}

for (const each of cases) {
  t.test(`gives the figures of pycocotools: ${each.name}`, (t) => {
    const metrics = evaluateDetections(imagesOf(each))
    for (const [index, value] of statsOf(metrics).entries()) {
      isClose(t, value, each.expected.stats[index]!, `figure ${index}`)
    }
    t.same(
      metrics.perClass.map(({ classIndex }) => classIndex),
      each.expected.classes.map(([classIndex]) => classIndex),
    )
    for (const [index, [classIndex, ap, ap50, recall]] of each.expected.classes.entries()) {
      isClose(t, metrics.perClass[index]!.ap, ap, `AP of class ${classIndex}`)
      isClose(t, metrics.perClass[index]!.ap50, ap50, `AP50 of class ${classIndex}`)
      isClose(t, metrics.perClass[index]!.recall, recall, `recall of class ${classIndex}`)
    }
    t.end()
  })
}

t.test('finding everything and nothing else is 1, finding nothing is 0', (t) => {
  const groundTruths = [
    truth(0, 0, 50, 50),
    truth(100, 0, 20, 20),
    truth(200, 0, 200, 200, { classIndex: 3 }),
  ]
  const detections = groundTruths.map((each, index) => ({ ...each, score: 0.9 - index / 10 }))
  const perfect = evaluateDetections([{ groundTruths, detections }])
  for (const value of [
    perfect.map,
    perfect.mapSmall,
    perfect.mapMedium,
    perfect.mapLarge,
    perfect.recall100,
  ]) {
    isClose(t, value!, 1, 'perfect')
  }
  const blind = evaluateDetections([{ groundTruths, detections: [] }])
  t.match(blind, { map: 0, map50: 0, recall100: 0, images: 1, groundTruths: 3 })
  t.end()
})

t.test('a wrong detection above a right one halves the precision, below it costs nothing', (t) => {
  const groundTruths = [truth(0, 0, 50, 50)]
  const above = [found(300, 300, 50, 50, 0.9), found(0, 0, 50, 50, 0.8)]
  const below = [found(300, 300, 50, 50, 0.7), found(0, 0, 50, 50, 0.8)]
  isClose(t, evaluateDetections([{ groundTruths, detections: above }]).map, 0.5, 'above')
  isClose(t, evaluateDetections([{ groundTruths, detections: below }]).map, 1, 'below')
  t.end()
})

t.test('a second detection of the same object is wrong', (t) => {
  const groundTruths = [truth(0, 0, 50, 50), truth(100, 0, 50, 50)]
  const detections = [found(0, 0, 50, 50, 0.9), found(0, 0, 50, 50, 0.8), found(100, 0, 50, 50, 0.7)]
  // Precision 1 for the recalls 0..0.5 (51 points), 2/3 for the other 50.
  isClose(t, evaluateDetections([{ groundTruths, detections }]).map50, (51 + (50 * 2) / 3) / 101, 'AP')
  t.end()
})

t.test('a crowd swallows any number of detections', (t) => {
  const groundTruths = [truth(0, 0, 50, 50), truth(100, 100, 300, 300, { crowd: true })]
  const inside = Array.from({ length: 5 }, (_, index) => found(120 + 40 * index, 200, 30, 60, 0.95))
  const metrics = evaluateDetections([{ groundTruths, detections: [...inside, found(0, 0, 50, 50, 0.5)] }])
  isClose(t, metrics.map, 1, 'AP')
  t.equal(metrics.groundTruths, 1)
  t.end()
})

t.test('only the best of a class in a picture take part', (t) => {
  const groundTruths = Array.from({ length: 12 }, (_, index) => truth(40 * index, 0, 30, 30))
  const detections = groundTruths.map((each, index) => ({ ...each, score: 0.9 - index / 100 }))
  const metrics = evaluateDetections([{ groundTruths, detections }])
  isClose(t, metrics.recall1, 1 / 12, '1')
  isClose(t, metrics.recall10, 10 / 12, '10')
  isClose(t, metrics.recall100, 1, '100')
  const wrong = Array.from({ length: 100 }, (_, index) => found(5 * index, 300, 30, 30, 0.99))
  t.equal(evaluateDetections([{ groundTruths, detections: [...wrong, ...detections] }]).map, 0)
  t.end()
})

t.test('sizes are those of the ground truth, and their ends belong to both ranges', (t) => {
  const groundTruths = [truth(0, 0, 32, 32)]
  const detections = [found(0, 0, 32, 32, 0.9), found(200, 200, 300, 300, 0.95)]
  const metrics = evaluateDetections([{ groundTruths, detections }])
  isClose(t, metrics.map, 0.5, 'all sizes')
  isClose(t, metrics.mapSmall!, 1, 'the wrong one is large')
  isClose(t, metrics.mapMedium!, 1, 'medium begins at 32 x 32')
  t.equal(metrics.mapLarge, null)
  t.end()
})

t.test('the order of pictures, objects and detections changes nothing while scores differ', (t) => {
  const [first] = cases
  const images = imagesOf(first!)
  const random = seededRandom(4)
  const mixed = images.map(({ groundTruths, detections }) => ({
    groundTruths: shuffle([...groundTruths], random),
    detections: shuffle(
      detections.map((each, index) => ({ ...each, score: each.score + index * 1e-9 })),
      random,
    ),
  }))
  const unmixed = images.map(({ groundTruths, detections }) => ({
    groundTruths,
    detections: detections.map((each, index) => ({ ...each, score: each.score + index * 1e-9 })),
  }))
  const stats = statsOf(evaluateDetections(unmixed))
  for (const [index, value] of statsOf(evaluateDetections(shuffle(mixed, random))).entries()) {
    isClose(t, value, stats[index]!, `figure ${index}`)
  }
  t.end()
})

t.test('equal scores are ranked in the order of the pictures', (t) => {
  const right = { groundTruths: [truth(0, 0, 50, 50)], detections: [found(0, 0, 50, 50, 0.5)] }
  const wrong = { groundTruths: [], detections: [found(0, 0, 50, 50, 0.5)] }
  isClose(t, evaluateDetections([right, wrong]).map, 1, 'right first')
  isClose(t, evaluateDetections([wrong, right]).map, 0.5, 'wrong first')
  t.end()
})

t.test('pictures without any object to find cannot be measured', (t) => {
  for (const images of [[], [{ groundTruths: [truth(0, 0, 5, 5, { crowd: true })], detections: [] }]]) {
    t.throws(() => evaluateDetections(images), {
      code: 'dataset.folder_unusable',
      message: /no labelled object/,
    })
  }
  t.end()
})
