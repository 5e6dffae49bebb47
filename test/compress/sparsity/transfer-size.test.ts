import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { brotliCompressSync, constants, createBrotliDecompress } from 'node:zlib'
import t from 'tap'

import { sha256Of } from '../../../src/base/digest.js'
import { toEdgeForm } from '../../../src/compress/edge-form.js'
import { calibrate, quantize } from '../../../src/compress/quantization/quantize.js'
import { int8Target } from '../../../src/compress/quantization/targets.js'
import { sparsify } from '../../../src/compress/sparsity/sparsify.js'
import { exportModel } from '../../../src/onnx/export-model.js'
import { importModel } from '../../../src/onnx/import-model.js'
import { graphRunner } from '../../../src/cli/compress/graph-runner.js'
import { imagesIn } from '../../helpers/calibration-images.js'
import { shared, skipWithout } from '../../helpers/paths.js'

t.setTimeout(900_000)

t.test(
  'a sparse int8 model travels in few bytes and arrives exactly',
  { skip: skipWithout('models', 'yolov8n.onnx') },
  async (t) => {
    const graph = toEdgeForm(importModel(readFileSync(shared('models', 'yolov8n.onnx'))))
    const target = int8Target('x64-vnni')
    // Sizes hardly depend on ranges: two pictures are enough.
    const images = imagesIn(shared('coco', 'calib', 'images'), 2)
    const options = { target, method: 'min-max', biasCorrection: false } as const
    const observations = await calibrate(graph, options, graphRunner(), images)
    const limits = { 0: 3e6, 0.5: 2e6, 0.7: 1.45e6 }
    let previous = Infinity
    for (const [sparsity, limit] of Object.entries(limits)) {
      const { graph: sparse } = await sparsify(graph, { sparsity: Number(sparsity) })
      const file = exportModel(quantize(sparse, observations, options).graph)
      // As a published bundle packs it.
      const params = {
        [constants.BROTLI_PARAM_QUALITY]: 9,
        [constants.BROTLI_PARAM_SIZE_HINT]: file.byteLength,
      }
      const packed = brotliCompressSync(file, { params })
      t.ok(packed.length <= limit, `${sparsity}: ${packed.length} bytes of at most ${limit}`)
      t.ok(packed.length < previous, 'more zeros, fewer bytes')
      previous = packed.length
      const pieces: Uint8Array[] = []
      for await (const piece of Readable.from(chunksOf(packed)).pipe(createBrotliDecompress()))
        pieces.push(piece as Uint8Array)
      t.equal(sha256Of(Buffer.concat(pieces)), sha256Of(file))
    }
  },
)

function* chunksOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 61_440) yield bytes.subarray(at, at + 61_440)
}
