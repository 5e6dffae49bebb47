import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { readLetterboxed } from '../../src/camera/read-image.js'
import { boxIou } from '../../src/yolo/boxes.js'
import { decodeDetections } from '../../src/yolo/decode.js'
import { predictionOptions } from '../../src/yolo/detection.js'
import { decodedModel } from '../helpers/heads.js'
import { fixture, shared, skipWithout } from '../helpers/paths.js'
import { openReferenceModel } from '../helpers/reference-model.js'

const reference = JSON.parse(readFileSync(fixture('yolo', 'reference.json'), 'utf8')) as {
  pictures: Record<
    string,
    {
      input_sha256: string
      detections: { class: number; score: number; box: [number, number, number, number] }[]
    }
  >
}

t.test(
  'finds what Ultralytics finds in the same pictures',
  { skip: skipWithout('models', 'yolov8n.onnx') },
  async (t) => {
    const model = await openReferenceModel(shared('models', 'yolov8n.onnx'))
    t.teardown(() => model.close())
    const description = decodedModel(640, 80)
    for (const [name, { input_sha256: inputDigest, detections: expected }] of Object.entries(
      reference.pictures,
    )) {
      const picture = await readLetterboxed(shared(...name.split('/')), { width: 640, height: 640 })
      t.equal(
        createHash('sha256').update(picture.pixels).digest('hex'),
        inputDigest,
        `${name}: same input bytes`,
      )
      const found = decodeDetections(
        await model.run(picture),
        description,
        picture.letterbox,
        predictionOptions,
      )
      t.equal(found.length, expected.length, `${name}: same number of detections`)
      for (const [index, { class: classIndex, score, box }] of expected.entries()) {
        const [x1, y1, x2, y2] = box
        const detection = found[index]!
        t.equal(detection.classIndex, classIndex)
        t.ok(
          Math.abs(detection.score - score) < 0.001,
          `${name}: score ${detection.score}, expected ${score}`,
        )
        t.ok(boxIou(detection, { x1, y1, x2, y2 }) > 0.999, `${name}: box ${index}`)
      }
    }
  },
)
