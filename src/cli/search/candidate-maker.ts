/**
 * Makes the models of candidates from one export.
 * Invariant: the same candidate gives the same bytes, whatever was made before it; a pruned model is fitted once, at the size of
 * the export, and serves every input size and precision.
 */

import { halfPrecision } from '../../compress/passes/half-precision.js'
import { inputSize } from '../../compress/passes/input-size.js'
import type { CalibrationImages, GraphRunner } from '../../compress/ports.js'
import { type Measurements, noMeasurements } from '../../compress/pruning/measurements.js'
import { parsePrunePlan, type PrunePlan } from '../../compress/pruning/prune-plan.js'
import { prune } from '../../compress/pruning/prune.js'
import { calibrate, quantize, type QuantizeOptions } from '../../compress/quantization/quantize.js'
import { int8Target, type Int8TargetName } from '../../compress/quantization/targets.js'
import { runPasses } from '../../compress/run-passes.js'
import type { Candidate } from '../../compress/search/candidate.js'
import { toEdgeForm } from '../../compress/edge-form.js'
import { exportModel } from '../../onnx/export-model.js'
import type { Graph } from '../../onnx/graph.js'
import { importModel } from '../../onnx/import-model.js'
import { layerFigures, type LayerFigures } from './layer-figures.js'
import type { SearchFolder } from './search-folder.js'
import type { Tell } from './tell.js'

/** Where the figures of the layers are noted. */
export const layersNote = 'layers'

/** How a candidate that keeps the share `macs`, 0..1, of the multiply-accumulates is pruned. */
export function candidatePrunePlan(macs: number): PrunePlan {
  return parsePrunePlan({ macs })
}

export class CandidateMaker {
  readonly #base: Graph
  readonly #images: CalibrationImages
  readonly #runner: GraphRunner
  readonly #folder: SearchFolder
  readonly #measured: Measurements = noMeasurements()

  constructor(source: Graph, images: CalibrationImages, runner: GraphRunner, folder: SearchFolder) {
    this.#base = toEdgeForm(source)
    this.#images = images
    this.#runner = runner
    this.#folder = folder
  }

  /** The model of `candidate`. Throws `compress.*` and `model.*` where it cannot be made. */
  async make(candidate: Candidate, tell: Tell): Promise<Uint8Array> {
    const { precision, target, side, macs } = candidate
    const float = runPasses(macs === 1 ? this.#base : await this.#pruned(macs, tell), [inputSize(side, side)])
    if (precision === 'fp16') return exportModel(runPasses(float, [halfPrecision]))
    if (precision === 'fp32' || target === undefined) return exportModel(float)
    return exportModel(await this.#quantized(float, target, macs, tell))
  }

  async #pruned(macs: number, tell: Tell): Promise<Graph> {
    const name = `pruned-${Math.round(100 * macs)}.onnx`
    const known = await this.#folder.bytes(name)
    if (known !== undefined) return importModel(known)
    const { graph } = await prune(this.#base, candidatePrunePlan(macs), {
      runner: this.#runner,
      images: this.#images,
      measured: this.#measured,
      onProgress: (stage, done, total) => {
        tell(done / total, `pruning: ${stage}`)
      },
    })
    const bytes = exportModel(graph)
    await this.#folder.keepBytes(name, bytes)
    // Read back, so that a search that goes on later works on the very same graph.
    return importModel(bytes)
  }

  async #quantized(float: Graph, name: Int8TargetName, macs: number, tell: Tell): Promise<Graph> {
    const options: QuantizeOptions = { target: int8Target(name), method: 'silu', biasCorrection: true }
    const calibration = await calibrate(float, options, this.#runner, this.#images, (_, done, total) => {
      tell(done / total, 'calibrating')
    })
    const quantized = quantize(float, calibration, options)
    if (macs === 1 && (await this.#folder.note(layersNote)) === undefined) {
      const figures: LayerFigures = await layerFigures(
        quantized,
        calibration,
        this.#runner,
        this.#images,
        tell,
      )
      await this.#folder.keepNote(layersNote, figures)
    }
    return quantized.graph
  }
}
