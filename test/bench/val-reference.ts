/**
 * Accuracy of models on the 250 reference pictures, and how sure their difference from the first is.
 * Run: node dist/test/bench/val-reference.js [model.onnx ...]   (default: the float reference model)
 */

import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { readLetterboxedInto } from '../../src/camera/read-image.js'
import { bootstrapDifference } from '../../src/evaluation/bootstrap.js'
import { parseCocoInstances } from '../../src/evaluation/coco-instances.js'
import { evaluate } from '../../src/evaluation/evaluate.js'
import { matchImage, type ImageMatches } from '../../src/evaluation/match-image.js'
import { importModel } from '../../src/onnx/import-model.js'
import { openDetector } from '../../src/runtime/detector.js'
import { validationOptions } from '../../src/yolo/detection.js'
import { describeModel } from '../../src/yolo/model-description.js'
import { shared } from '../helpers/paths.js'

const given = process.argv.slice(2)
const models = given.length > 0 ? given : [shared('models', 'yolov8n.onnx')]
let reference: readonly ImageMatches[] | undefined
for (const path of models) {
  const description = describeModel(importModel(readFileSync(path)))
  const { inputWidth: width, inputHeight: height } = description
  const labels = shared('coco', 'val', 'instances.json')
  const { images } = parseCocoInstances(readFileSync(labels, 'utf8'), labels, description.classNames)
  const detector = await openDetector({ path, description })
  const inferenceMs: number[] = []
  const { metrics, images: results } = await evaluate(images, async ({ name }) => {
    const pixels = new SharedArrayBuffer(width * height * 3)
    const picture = shared('coco', 'val', 'images', name)
    const letterbox = await readLetterboxedInto(picture, { width, height }, new Uint8Array(pixels))
    const { detections, timings } = await detector.detect(
      { pixels, byteOffset: 0, letterbox },
      validationOptions,
    )
    inferenceMs.push(timings.inferenceMs)
    return detections
  })
  await detector.close()
  const { perClass: classes, ...figures } = metrics
  const person = classes.find(({ classIndex }) => description.classNames[classIndex] === 'person')
  const sorted = inferenceMs.sort((a, b) => a - b)
  console.log(basename(path), {
    ...figures,
    personAp: person?.ap,
    inferenceMsMedian: sorted[sorted.length >> 1],
  })
  const matches = images.map(({ groundTruths }, index) =>
    matchImage({ groundTruths, detections: results[index]!.detections }),
  )
  reference ??= matches
  const start = performance.now()
  const difference = bootstrapDifference(reference, matches)
  console.log('  against the first', difference, `(bootstrap: ${(performance.now() - start).toFixed(0)} ms)`)
}
