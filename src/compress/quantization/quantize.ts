/**
 * Post-training quantisation of a detector in edge form: pictures in, int8 graph out.
 * Invariant: the same graph, pictures and options give the same graph, byte for byte; the float graph is untouched.
 */

import { present } from '../../base/assert.js'
import { AgentError } from '../../base/errors.js'
import type { Graph, ValueName } from '../../onnx/graph.js'
import { integerNodeOf } from '../../onnx/precision.js'
import { applyPatch } from '../../onnx/patch.js'
import { findHead } from '../../yolo/find-head.js'
import { samplesOf } from '../calibration-samples.js'
import type { CalibrationImages, GraphRunner, ReportProgress } from '../ports.js'
import { collectInputMoments, type InputMoments } from '../restoration/input-moments.js'
import type { AffineParams, Range } from './affine.js'
import { companionPictures } from './calibration/companion-pictures.js'
import { type Observations, observe } from './calibration/observe.js'
import type { CalibrationMethod } from './calibration/range-methods.js'
import { withCompanions } from './calibration/with-companions.js'
import { chooseScales } from './choose-scales.js'
import { roundWithCompensation } from './compensated-rounding.js'
import { correctBiases } from './correct-bias.js'
import {
  type ConvolutionTable,
  floorsIn,
  raisedRows,
  quantizedConvolutions,
  roundConvolutions,
  roundToNearest,
} from './integer-convolution.js'
import { type RangeUse, rangeUses } from './range-use.js'
import { planQuantization, type QuantizationPlan } from './quantization-plan.js'
import { withLazyBoxes } from './lazy-boxes.js'
import type { Int8Target } from './targets.js'
import { writeInteger } from './write-integer.js'
import { writeQdq } from './write-qdq.js'

/** How weights are rounded: each to the nearest integer, or with compensation of the error by those that follow. */
export const roundings = ['nearest', 'compensated'] as const
export type Rounding = (typeof roundings)[number]

export interface QuantizeOptions {
  readonly target: Int8Target
  readonly method: CalibrationMethod
  /** 2..8; by default what the target computes with. */
  readonly weightBits?: number
  /** By default `compensated` below 8 bits. Needs moments in the observations. */
  readonly rounding?: Rounding
  /** Nodes that stay float, by name. */
  readonly floatNodes?: ReadonlySet<string>
  /** Makes up for the rounding of weights in the biases; compensated rounding does so in any case. */
  readonly biasCorrection: boolean
}

/** What was seen of a float graph on the calibration pictures. */
export interface Calibration extends Observations {
  /** Of drawn pictures, for the values of `histograms`: what the network does with more than the pictures show. */
  readonly companions: Observations['histograms']
  /** Of the inputs of convolutions; only where rounding is to be compensated. */
  readonly moments: InputMoments | undefined
}

/** An int8 model and how it came about. */
export interface QuantizedModel {
  /** To deploy; in integer form with boxes that are computed where something is seen. */
  readonly graph: Graph
  /** Which nodes are computed on integers, and why the others are not. */
  readonly plan: QuantizationPlan
  readonly scales: ReadonlyMap<string, AffineParams>
  readonly weightBits: number
  readonly rounding: Rounding
  /** How each quantized value was exercised by the calibration pictures. */
  readonly rangeUse: readonly RangeUse[]
  /** How many rows of weights have a raised scale, so that their bias fits into an accumulator; convolutions without any are left out. */
  readonly raisedRows: ReadonlyMap<string, number>
  /** The same model with other nodes in float, and all boxes. */
  readonly withFloat: (nodes: ReadonlySet<string>) => Graph
}

/** Class logits below this mean nothing: their probability is under 0.0004, below every threshold in use. */
const logitFloor = -8
/**
 * Class logits of every level reach at least from the floor to a probability of 0.99, whatever the calibration pictures show: the
 * level that saw no object of its size is the one that must not cap its scores.
 */
const classRange: Range = { min: logitFloor, max: 4.6 }
/**
 * Box logits reach at least this far: a bin at the upper end with the others at the lower one has 0.999 of its side, and a distance of 0
 * or 15 cells can be said whatever the pictures show.
 */
const boxRange: Range = { min: -4, max: 6 }

/** Throws `model.quantized_already` where `graph` has operators on integers. */
export function requireFloat(graph: Graph): void {
  const node = integerNodeOf(graph)
  if (node === undefined) return
  throw new AgentError(
    'model.quantized_already',
    `cannot quantise the model: it has ${node.opType} (${node.name}) already, expected the float export`,
  )
}

/** Bits of the weights and how they are rounded under `options`. */
export function weightRounding(options: QuantizeOptions): { weightBits: number; rounding: Rounding } {
  const weightBits = options.weightBits ?? options.target.weightBits
  return { weightBits, rounding: options.rounding ?? (weightBits < 8 ? 'compensated' : 'nearest') }
}

/** Patches for each unknown of a layer's moments, and the start of the choice of places. */
const sampling = { factor: 4, seed: 1, interest: undefined }

/**
 * What quantising `graph` with `options` needs to know of its inner values, over all `images`. With several options, such as
 * those of several targets, the pictures are looked at once for all of them.
 */
export async function calibrate(
  graph: Graph,
  options: QuantizeOptions | readonly QuantizeOptions[],
  runner: GraphRunner,
  images: CalibrationImages,
  onProgress?: ReportProgress,
): Promise<Calibration> {
  const each = 'target' in options ? [options] : options
  const plans = each.map(({ target }) => planQuantization(graph, target.rules))
  const inputs = plans.flatMap(quantizedConvolutions).map((node) => node.inputs[0]!)
  const request = {
    values: [...new Set(plans.flatMap(({ observed }) => observed))],
    means: [...new Set(inputs)],
  }
  const drawn = companionPictures()
  const total = images.count + drawn.count
  const telling =
    (before: number, share: number): ReportProgress =>
    (stage, done, all) =>
      onProgress?.(stage, before + Math.round((done / all) * share), total)
  const observations = await observe(graph, request, runner, images, telling(0, images.count))
  const aside = await observe(graph, request, runner, drawn, telling(images.count, drawn.count))
  const compensates = each.some((one) => weightRounding(one).rounding === 'compensated')
  const samples = samplesOf(graph, joined(images, drawn))
  const moments = compensates ? await collectInputMoments({ graph, runner, samples }, sampling) : undefined
  return {
    histograms: observations.histograms,
    companions: aside.histograms,
    means: meansOfAll([observations.means, images.count], [aside.means, drawn.count]),
    moments,
  }
}

/** The pictures of `first`, then those of `second`. */
function joined(first: CalibrationImages, second: CalibrationImages): CalibrationImages {
  return {
    count: first.count + second.count,
    read: (index, size) =>
      index < first.count ? first.read(index, size) : second.read(index - first.count, size),
  }
}

type CountedMeans = readonly [means: Observations['means'], pictures: number]

/** The means over the pictures of both. */
function meansOfAll([first, count]: CountedMeans, [second, more]: CountedMeans): Observations['means'] {
  return new Map(
    [...first].map(([value, means]) => {
      const others = present(second.get(value), `the means of ${value} were observed on drawn pictures`)
      const mean = means.map((each, channel) => (count * each + more * others[channel]!) / (count + more))
      return [value, mean]
    }),
  )
}

/** The int8 form of `graph` for what was observed in it. */
export function quantize(graph: Graph, calibration: Calibration, options: QuantizeOptions): QuantizedModel {
  const { target, method, floatNodes = new Set() } = options
  const { weightBits, rounding } = weightRounding(options)
  // Ranges are those of the whole int8 model, whatever stays float: so that one layer more or less changes no other.
  const whole = planQuantization(graph, target.rules)
  const scales = chooseScales(whole, withCompanions(calibration.histograms, calibration.companions), {
    method,
    format: target.activations,
    limits: classLimits(graph),
    held: headRanges(graph),
  })
  const convolutions = convolutionsOf(whole, calibration, scales, options)
  const withFloat = (nodes: ReadonlySet<string>): Graph =>
    written(
      nodes.size === 0 ? whole : planQuantization(graph, target.rules, nodes),
      scales,
      convolutions,
      target,
    )
  const plan = planQuantization(graph, target.rules, floatNodes)
  return {
    graph: withLazyBoxes(withFloat(floatNodes)),
    plan,
    scales,
    weightBits,
    rounding,
    rangeUse: rangeUses(calibration.histograms, scales),
    raisedRows: raisedRows(whole, scales, weightBits),
    withFloat,
  }
}

function convolutionsOf(
  plan: QuantizationPlan,
  calibration: Calibration,
  scales: ReadonlyMap<ValueName, AffineParams>,
  options: QuantizeOptions,
): ConvolutionTable {
  const { weightBits, rounding } = weightRounding(options)
  const floors = floorsIn(plan, scales)
  if (rounding === 'compensated') {
    const moments = present(calibration.moments, 'calibration for compensated rounding collects moments')
    return roundWithCompensation(plan, moments, weightBits, floors)
  }
  const nearest = roundConvolutions(plan, roundToNearest(weightBits, floors))
  return options.biasCorrection ? correctBiases(plan, nearest, calibration.means) : nearest
}

function written(
  plan: QuantizationPlan,
  scales: ReadonlyMap<string, AffineParams>,
  convolutions: ConvolutionTable,
  { form, integerBias, name }: Int8Target,
): Graph {
  const options = { scales, convolutions }
  const graph = form === 'integer' ? writeInteger(plan, options) : writeQdq(plan, { ...options, integerBias })
  return applyPatch(graph, { metadata: new Map([...graph.metadata, ['yolo_edge.int8_target', name]]) })
}

function classLimits(graph: Graph): ReadonlyMap<string, Range> {
  const range = { min: logitFloor, max: Infinity }
  return new Map(findHead(graph).levels.map(({ cls }) => [cls.value, range]))
}

function headRanges(graph: Graph): ReadonlyMap<string, Range> {
  return new Map(
    findHead(graph).levels.flatMap(({ box, cls }) => [
      [box.value, boxRange],
      [cls.value, classRange],
    ]),
  )
}
