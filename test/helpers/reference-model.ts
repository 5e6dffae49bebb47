/** Runs a model file on pictures, for tests that compare the parts around inference with other programs. */

import '../../src/runtime/telemetry-off.js'
import ort from 'onnxruntime-node'
import type { LetterboxedImage } from '../../src/camera/read-image.js'

/** A model in export form with a square input. */
export interface ReferenceModel {
  run(picture: LetterboxedImage): Promise<Map<string, Float32Array>>
  close(): Promise<void>
}

export async function openReferenceModel(path: string): Promise<ReferenceModel> {
  const session = await ort.InferenceSession.create(path, { intraOpNumThreads: 2, logSeverityLevel: 3 })
  const inputName = session.inputNames[0]!
  return {
    run: async ({ pixels, letterbox: { inputWidth, inputHeight } }) => {
      const input = new ort.Tensor('float32', toPlanes(pixels), [1, 3, inputHeight, inputWidth])
      const outputs = await session.run({ [inputName]: input })
      return new Map(Object.entries(outputs).map(([name, tensor]) => [name, tensor.data as Float32Array]))
    },
    close: () => session.release(),
  }
}

/** Interleaved RGB bytes to three planes of 0..1. */
function toPlanes(pixels: Uint8Array): Float32Array {
  const size = pixels.length / 3
  const planes = new Float32Array(pixels.length)
  for (let at = 0; at < size; at++) {
    for (let channel = 0; channel < 3; channel++)
      planes[channel * size + at] = pixels[3 * at + channel]! / 255
  }
  return planes
}
