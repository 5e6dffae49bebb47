/** What int8 loses of the scores of a random detector, by its own rule for ranges and by that of the pictures alone. */

import type { GraphRunner } from '../../src/compress/ports.js'
import { chooseScales } from '../../src/compress/quantization/choose-scales.js'
import { roundConvolutions, roundToNearest } from '../../src/compress/quantization/integer-convolution.js'
import { planQuantization } from '../../src/compress/quantization/quantization-plan.js'
import { calibrate, type Calibration, quantize } from '../../src/compress/quantization/quantize.js'
import { int8Target } from '../../src/compress/quantization/targets.js'
import { writeQdq } from '../../src/compress/quantization/write-qdq.js'
import type { Graph } from '../../src/onnx/graph.js'
import { classLogits, largestLoss, randomCase } from './random-detectors.js'

/** The integers of processors in the form that is computed the same on each. */
const target = int8Target('qdq')
const options = { target, method: 'silu', biasCorrection: true } as const

export interface Losses {
  readonly seed: number
  /** Scores above one half that float gives. */
  readonly scores: number
  /** The largest loss of one of them. */
  readonly loss: number
  /** The same, calibrated on the very pictures that the scores are of: what rounding takes whatever the ranges. */
  readonly lossOfRounding: number
  /** The same, where all ranges are those that the narrow pictures show. */
  readonly lossOfNarrowRanges: number
}

export async function lossesOf(seed: number, runner: GraphRunner): Promise<Losses> {
  const { graph, narrow, inputs } = await randomCase(seed, runner)
  const calibration = await calibrate(graph, options, runner, narrow)
  const ownCalibration = await calibrate(graph, options, runner, inputs)
  const float = await classLogits(graph, inputs, runner)
  const lossWith = async (int8: Graph): Promise<{ loss: number; scores: number }> =>
    largestLoss(float, await classLogits(int8, inputs, runner))
  const { loss, scores } = await lossWith(quantize(graph, calibration, options).withFloat(new Set()))
  const { loss: lossOfRounding } = await lossWith(
    quantize(graph, ownCalibration, options).withFloat(new Set()),
  )
  const { loss: lossOfNarrowRanges } = await lossWith(withNarrowRanges(graph, calibration))
  return { seed, scores, loss, lossOfRounding, lossOfNarrowRanges }
}

function withNarrowRanges(graph: Graph, { histograms }: Calibration): Graph {
  const plan = planQuantization(graph, target.rules)
  const scales = chooseScales(plan, histograms, { method: options.method, format: target.activations })
  const convolutions = roundConvolutions(plan, roundToNearest(target.weightBits))
  return writeQdq(plan, { scales, convolutions, integerBias: target.integerBias })
}
