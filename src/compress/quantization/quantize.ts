/**
 * Post-training quantisation of a detector in edge form: pictures in, int8 graph out.
 * Invariant: the same graph, pictures and options give the same graph, byte for byte; the float graph is untouched.
 */

import { AgentError } from '../../base/errors.js'
import type { Graph } from '../../onnx/graph.js'
import { applyPatch } from '../../onnx/patch.js'
import { findHead } from '../../yolo/find-head.js'
import type { CalibrationImages, GraphRunner, ReportProgress } from '../ports.js'
import type { AffineParams, Range } from './affine.js'
import { type Observations, observe } from './calibration/observe.js'
import type { CalibrationMethod } from './calibration/range-methods.js'
import { chooseScales } from './choose-scales.js'
import { correctBiases } from './correct-bias.js'
import { roundConvolutions, roundToNearest } from './integer-convolution.js'
import { activationInputs, planQuantization, type QuantizationPlan } from './quantization-plan.js'
import type { Int8Target } from './targets.js'
import { writeInteger } from './write-integer.js'
import { writeQdq } from './write-qdq.js'

export interface QuantizeOptions {
  readonly target: Int8Target
  readonly method: CalibrationMethod
  /** 2..8; by default what the target computes with. */
  readonly weightBits?: number
  /** Nodes that stay float, by name. */
  readonly floatNodes?: ReadonlySet<string>
  readonly biasCorrection: boolean
}

/** An int8 model and how it came about. */
export interface QuantizedModel {
  readonly graph: Graph
  readonly plan: QuantizationPlan
  readonly scales: ReadonlyMap<string, AffineParams>
  readonly weightBits: number
}

/** Operators that only a quantised model has. */
const integerOperators = /^(QLinear|QGemm|DynamicQuantize|DequantizeLinear|ConvInteger|MatMulInteger)/

/** Class logits below this mean nothing: their probability is under 0.0004, below every threshold in use. */
const logitFloor = -8

/** Throws `model.quantized_already` where `graph` has operators on integers. */
export function requireFloat(graph: Graph): void {
  const node = graph.nodes.find(({ opType }) => integerOperators.test(opType))
  if (node === undefined) return
  throw new AgentError(
    'model.quantized_already',
    `cannot quantise the model: it has ${node.opType} (${node.name}) already, expected the float export`,
  )
}

/** What quantising `graph` for `target` needs to know of its inner values, over all `images`. */
export async function calibrate(
  graph: Graph,
  target: Int8Target,
  runner: GraphRunner,
  images: CalibrationImages,
  onProgress?: ReportProgress,
): Promise<Observations> {
  const plan = planQuantization(graph, target.rules)
  const convolutions = graph.nodes.filter((node) => node.opType === 'Conv' && plan.quantized.has(node.name))
  const means = new Set(convolutions.flatMap((node) => activationInputs(graph, node)))
  return observe(graph, { values: plan.observed, means: [...means] }, runner, images, onProgress)
}

/** The int8 form of `graph` for what was observed in it. */
export function quantize(graph: Graph, observations: Observations, options: QuantizeOptions): QuantizedModel {
  const { target, method, floatNodes } = options
  const weightBits = options.weightBits ?? target.weightBits
  const plan = planQuantization(graph, target.rules, floatNodes)
  const scales = chooseScales(plan, observations.histograms, {
    method,
    format: target.activations,
    limits: classLimits(graph),
  })
  const rounded = roundConvolutions(plan, roundToNearest(weightBits))
  const convolutions = options.biasCorrection ? correctBiases(plan, rounded, observations.means) : rounded
  const { integerBias } = target
  const written =
    target.form === 'integer'
      ? writeInteger(plan, { scales, convolutions })
      : writeQdq(plan, { scales, convolutions, integerBias })
  const metadata = new Map([...graph.metadata, ['yolo_edge.int8_target', target.name]])
  return { graph: applyPatch(written, { metadata }), plan, scales, weightBits }
}

function classLimits(graph: Graph): ReadonlyMap<string, Range> {
  const range = { min: logitFloor, max: Infinity }
  return new Map(findHead(graph).levels.map(({ cls }) => [cls.value, range]))
}
