/** Accuracy and speed of model files on the reference pictures, for benchmarks. */

import { bootstrapDifference } from '../../src/evaluation/bootstrap.js'
import { parseCocoInstances } from '../../src/evaluation/coco-instances.js'
import { evaluate } from '../../src/evaluation/evaluate.js'
import { type ImageMatches, matchImage } from '../../src/evaluation/match-image.js'
import { readLetterboxedInto } from '../../src/camera/read-image.js'
import { importModel } from '../../src/onnx/import-model.js'
import { openDetector } from '../../src/runtime/detector.js'
import { validationOptions } from '../../src/yolo/detection.js'
import { describeModel } from '../../src/yolo/model-description.js'
import type { Letterbox } from '../../src/yolo/letterbox.js'
import { readFileSync } from 'node:fs'
import { shared } from './paths.js'

/** What one model finds on the pictures. */
export interface Accuracy {
  readonly map: number
  readonly map50: number
  readonly matches: readonly ImageMatches[]
}

/** The first `limit` pictures of coco/val; each is read once and kept. */
export class ValidationPictures {
  readonly #limit: number
  readonly #pictures = new Map<string, { pixels: SharedArrayBuffer; letterbox: Letterbox }>()

  constructor(limit = Infinity) {
    this.#limit = limit
  }

  /** Measures a model file; a decoded and a cut output are both read. */
  async accuracyOf(bytes: Uint8Array): Promise<Accuracy> {
    const description = describeModel(importModel(bytes))
    const labels = shared('coco', 'val', 'instances.json')
    const parsed = parseCocoInstances(readFileSync(labels, 'utf8'), labels, description.classNames)
    const images = parsed.images.slice(0, this.#limit)
    const detector = await openDetector({ bytes, description }, { warmUpRuns: 0 })
    try {
      const { metrics, images: results } = await evaluate(images, async ({ name }) => {
        const { pixels, letterbox } = await this.#read(name, description.inputWidth, description.inputHeight)
        const { detections } = await detector.detect({ pixels, byteOffset: 0, letterbox }, validationOptions)
        return detections
      })
      const matches = images.map(({ groundTruths }, index) =>
        matchImage({ groundTruths, detections: results[index]!.detections }),
      )
      return { map: metrics.map, map50: metrics.map50, matches }
    } finally {
      await detector.close()
    }
  }

  async #read(
    name: string,
    width: number,
    height: number,
  ): Promise<{ pixels: SharedArrayBuffer; letterbox: Letterbox }> {
    const key = `${name} ${width} ${height}`
    const known = this.#pictures.get(key)
    if (known !== undefined) return known
    const pixels = new SharedArrayBuffer(width * height * 3)
    const path = shared('coco', 'val', 'images', name)
    const letterbox = await readLetterboxedInto(path, { width, height }, new Uint8Array(pixels))
    this.#pictures.set(key, { pixels, letterbox })
    return { pixels, letterbox }
  }
}

/** Difference of mAP to a reference on the same pictures, with its 95 % interval. */
export function differenceTo(reference: Accuracy, other: Accuracy): ReturnType<typeof bootstrapDifference> {
  return bootstrapDifference(reference.matches, other.matches)
}
