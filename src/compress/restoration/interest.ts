/**
 * Where in a calibration picture the detector finds something: there its inner answers matter most.
 * Invariant: a map has one number of 0..1 for each cell of 8 x 8 input pixels: the best score of the boxes over it.
 */

import { isAgentError } from '../../base/errors.js'
import type { Graph } from '../../onnx/graph.js'
import { decodeDetections } from '../../yolo/decode.js'
import type { Detection } from '../../yolo/detection.js'
import { letterbox } from '../../yolo/letterbox.js'
import { describeModel, type ModelDescription } from '../../yolo/model-description.js'
import type { CalibrationSamples } from '../calibration-samples.js'
import type { GraphRunner } from '../ports.js'

export interface InterestMap {
  readonly width: number
  readonly height: number
  readonly data: Float32Array
}

const cellPixels = 8
/** Weak detections count too: a pruned network must not find more of them. */
const detection = { conf: 0.02, iou: 0.7, maxDet: 300, multiLabel: false }

/** The maps of all samples; undefined where `graph` is no YOLOv8 detector. */
export async function measureInterest(run: {
  readonly graph: Graph
  readonly runner: GraphRunner
  readonly samples: CalibrationSamples
}): Promise<readonly InterestMap[] | undefined> {
  const model = descriptionOf(run.graph)
  if (model === undefined) return undefined
  const size = { width: model.inputWidth, height: model.inputHeight }
  const same = letterbox(size, size)
  const open = await run.runner.open(run.graph)
  try {
    const maps: InterestMap[] = []
    for (let sample = 0; sample < run.samples.count; sample++) {
      const outputs = await open.run(await run.samples.read(sample))
      const floats = new Map(
        [...outputs].flatMap(([name, tensor]) => (tensor.type === 'float32' ? [[name, tensor.data]] : [])),
      )
      maps.push(painted(decodeDetections(floats, model, same, detection), size))
    }
    return maps
  } finally {
    await open.close()
  }
}

function descriptionOf(graph: Graph): ModelDescription | undefined {
  try {
    return describeModel(graph)
  } catch (thrown) {
    if (isAgentError(thrown, 'model.not_yolov8')) return undefined
    throw thrown
  }
}

function painted(
  detections: readonly Detection[],
  size: { readonly width: number; readonly height: number },
): InterestMap {
  const width = Math.ceil(size.width / cellPixels)
  const height = Math.ceil(size.height / cellPixels)
  const data = new Float32Array(width * height)
  for (const { x1, y1, x2, y2, score } of detections) {
    const right = Math.min(width - 1, Math.floor(x2 / cellPixels))
    const bottom = Math.min(height - 1, Math.floor(y2 / cellPixels))
    for (let row = Math.floor(y1 / cellPixels); row <= bottom; row++) {
      for (let column = Math.floor(x1 / cellPixels); column <= right; column++) {
        const at = row * width + column
        data[at] = Math.max(data[at]!, score)
      }
    }
  }
  return { width, height, data }
}
