/** Calibration pictures as the inputs of a graph. Invariant: the same index gives the same values each time. */

import { present } from '../base/assert.js'
import { AgentError } from '../base/errors.js'
import type { Graph } from '../onnx/graph.js'
import { shapesOf } from '../onnx/shapes/infer-shapes.js'
import type { Tensor } from '../onnx/tensor.js'
import type { CalibrationImages, Feeds } from './ports.js'

/** Inputs like those of the place where the model will work. */
export interface CalibrationSamples {
  readonly count: number
  /** The feeds of one sample, by graph input. */
  read(index: number): Promise<Feeds>
}

/** `images` as feeds of `graph`, whose one input is a picture. Reading throws `model.not_yolov8` where it is not. */
export function samplesOf(graph: Graph, images: CalibrationImages): CalibrationSamples {
  return {
    count: images.count,
    read: async (index) =>
      new Map([
        [present(graph.inputs[0], 'a graph has an input').name, await inputFor(graph, images, index)],
      ]),
  }
}

/** Picture `index` as the graph's input: bytes as they are, or planes of 0..1. */
export async function inputFor(graph: Graph, images: CalibrationImages, index: number): Promise<Tensor> {
  const [input] = graph.inputs
  const shape = shapesOf(graph).staticShapeOf(present(input, 'a graph has an input').name)
  if (input === undefined || shape?.length !== 4) {
    throw new AgentError(
      'model.not_yolov8',
      `the input is not a picture of known size, expected [1,3,H,W] or [1,H,W,3]`,
    )
  }
  const bytes = input.type === 'uint8'
  const [height, width] = bytes ? [shape[1]!, shape[2]!] : [shape[2]!, shape[3]!]
  const pixels = await images.read(index, { width, height })
  if (bytes) return { type: 'uint8', dims: shape, data: pixels }
  const planes = new Float32Array(pixels.length)
  const area = width * height
  for (let at = 0; at < area; at++) {
    for (let channel = 0; channel < 3; channel++)
      planes[channel * area + at] = pixels[3 * at + channel]! / 255
  }
  return { type: 'float32', dims: shape, data: planes }
}
