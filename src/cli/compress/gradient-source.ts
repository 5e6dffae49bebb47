/**
 * Gradients of the weights for the gradient criterion.
 * The loss is YOLOv8's own, with what the model itself finds in the pictures as targets: no labels are needed, and a weight counts
 * as much as the model's present answers depend on it.
 * Invariant: the graph that is given is not changed; everything opened is closed.
 */

import type { CalibrationImages } from '../../compress/ports.js'
import type { GradientSource } from '../../compress/pruning/measurements.js'
import { floatNetwork } from '../../training/float-network.js'
import { detectionLoss } from '../../training/loss/detection-loss.js'
import { learnedArrays, NetworkSession } from '../../training/network-session.js'
import type { GraphRunner } from '../../training/ports.js'
import { decodeDetections } from '../../yolo/decode.js'
import { predictionOptions } from '../../yolo/detection.js'
import { letterbox } from '../../yolo/letterbox.js'
import { describeModel } from '../../yolo/model-description.js'

/** Fewer pictures leave many channels without a detection that needs them; more change the order little. */
const picturesMax = 32

/** Reads at most 32 of `images`. It throws `model.op_unsupported` for a graph that is no detector in edge form. */
export function gradientSource(
  runner: GraphRunner,
  images: CalibrationImages,
  onProgress: (done: number, total: number) => void,
): GradientSource {
  return {
    async visitGradients(graph, weights, visit) {
      const model = describeModel(graph)
      const { inputWidth, inputHeight, output, classNames } = model
      const levels = output.kind === 'heads' ? output.levels : []
      const shape = { batch: 1, classCount: classNames.length, inputWidth, inputHeight, levels }
      const size = { width: inputWidth, height: inputHeight }
      const learned = learnedArrays(graph, weights)
      const session = await NetworkSession.open(floatNetwork(graph, shape), learned, runner)
      const gradients = new Map([...learned.gradients].map(([name, { data }]) => [name, data]))
      try {
        const count = Math.min(picturesMax, images.count)
        for (let picture = 0; picture < count; picture++) {
          const index = Math.floor((picture * images.count) / count)
          const planes = planesOf(await images.read(index, size))
          const heads = await session.forward(planes)
          const targets = decodeDetections(heads, model, letterbox(size, size), predictionOptions)
          const { gradients: seeds } = detectionLoss(shape, heads, [targets])
          await session.backward(seeds)
          visit(gradients)
          onProgress(picture + 1, count)
        }
      } finally {
        await session.close()
      }
    },
  }
}

/** `[3, H, W]` of 0..1 from RGB bytes `[H, W, 3]`. */
function planesOf(pixels: Uint8Array): Float32Array {
  const places = pixels.length / 3
  const planes = new Float32Array(pixels.length)
  for (let place = 0; place < places; place++)
    for (let colour = 0; colour < 3; colour++)
      planes[colour * places + place] = pixels[place * 3 + colour]! / 255
  return planes
}
