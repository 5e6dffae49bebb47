/** Pictures with what the export and a variant find, side by side. Invariant: both look at the same pictures, at their own input size. */

import { readFrame } from '../../camera/shared-frame.js'
import { drawDetections } from '../../camera/draw-detections.js'
import { readRgb } from '../../camera/read-image.js'
import { type Candidate, candidateId } from '../../compress/search/candidate.js'
import type { MeasuredTrial } from '../../compress/search/trial.js'
import { importModel } from '../../onnx/import-model.js'
import { type Detector, openDetector } from '../../runtime/detector.js'
import { type Detection, predictionOptions } from '../../yolo/detection.js'
import { describeModel } from '../../yolo/model-description.js'
import type { SearchRequest } from './search-request.js'

/** JPEG files. */
export interface PicturePair {
  readonly name: string
  readonly variant: string
  readonly export: Uint8Array
  readonly compressed: Uint8Array
  /** How many objects each found. */
  readonly counts: readonly [number, number]
}

const pairs = 4
const shownWidth = 480
const jpegQuality = 72

/** The pictures of the data set with the most labelled objects, as the export and `trial` see them. */
export async function picturePairs(
  { source, dataset }: SearchRequest,
  { candidate }: { readonly candidate: Candidate } & Pick<MeasuredTrial, 'candidate'>,
  bytes: Uint8Array,
): Promise<readonly PicturePair[]> {
  const busiest = dataset.images
    .toSorted((a, b) => b.groundTruths.length - a.groundTruths.length)
    .slice(0, pairs)
  const detectors = [
    await openDetector(source, {}),
    await openDetector({ bytes, description: describeModel(importModel(bytes)) }, {}),
  ] as const
  try {
    return await Promise.all(
      busiest.map(async ({ name, path }): Promise<PicturePair> => {
        const [left, right] = await Promise.all([found(detectors[0], path), found(detectors[1], path)])
        return {
          name,
          variant: candidateId(candidate),
          export: await drawn(path, left, source.description.classNames),
          compressed: await drawn(path, right, source.description.classNames),
          counts: [left.length, right.length],
        }
      }),
    )
  } finally {
    for (const detector of detectors) await detector.close()
  }
}

async function found(detector: Detector, path: string): Promise<readonly Detection[]> {
  const { inputWidth: width, inputHeight: height } = detector.description
  const { detections } = await detector.detect(await readFrame(path, { width, height }), predictionOptions)
  return detections
}

async function drawn(
  path: string,
  detections: readonly Detection[],
  classNames: readonly string[],
): Promise<Uint8Array> {
  const png = await drawDetections(await readRgb(path), detections, classNames)
    .png()
    .toBuffer()
  const picture = await readRgb(png)
  return drawDetections(picture, [], classNames)
    .resize({ width: Math.min(shownWidth, picture.width) })
    .jpeg({ quality: jpegQuality })
    .toBuffer()
}
