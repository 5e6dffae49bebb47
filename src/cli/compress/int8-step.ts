/**
 * The last step of a compression, `--int8`: one calibration, a model for each kind of hardware, and the self-check of them all.
 * Invariant: it refuses a model that is quantised already before it looks at any picture; layers stay float only where the user
 * gave a limit.
 */

import { present } from '../../base/assert.js'
import type { Clock } from '../../base/clock.js'
import { fewestFloatLayers } from '../../compress/quantization/accuracy-control.js'
import { quantizedConvolutions } from '../../compress/quantization/integer-convolution.js'
import {
  calibrate,
  type Calibration,
  quantize,
  type QuantizedModel,
  type QuantizeOptions,
  requireFloat,
} from '../../compress/quantization/quantize.js'
import { exercisedMin } from '../../compress/quantization/range-use.js'
import { type LayerSensitivity, rankLayers } from '../../compress/quantization/sensitivity.js'
import type { CalibrationImages } from '../../compress/ports.js'
import type { Int8Target } from '../../compress/quantization/targets.js'
import type { Graph } from '../../onnx/graph.js'
import { evenly, selfCheck, type SelfCheck } from './self-check.js'
import type { MeasuredAccuracy, StepContext } from './step.js'

export interface Int8Options extends Omit<QuantizeOptions, 'target'> {
  /** At least one; each once. */
  readonly targets: readonly Int8Target[]
  /** The largest loss of mAP50-95 and of mAP50, as a difference of numbers in 0..1. */
  readonly maxDrop: number | undefined
  /** Ranks the layers also where no limit asks for it. */
  readonly sensitivity: boolean
}

/** The model of one target. */
export interface Int8Variant {
  readonly target: Int8Target
  readonly graph: Graph
  readonly ranges: RangesReport
  /** For report.json, snake_case. */
  readonly report: object
}

/** How the integers of a model suit what its calibration pictures showed; as in report.json. */
export interface RangesReport {
  /** Values whose range the pictures hardly used; it rests on drawn pictures. */
  readonly hardly_exercised: readonly string[]
  /** Values beyond the range of their integers, and the share of what was seen that they are, 0..1. */
  readonly saturated: readonly { readonly value: string; readonly share: number }[]
  /** Convolutions with rows of weights so small that their scale was raised to hold the bias, and how many rows. */
  readonly raised_rows: readonly { readonly node: string; readonly rows: number }[]
}

export interface Int8Result {
  readonly variants: readonly Int8Variant[]
  readonly check: SelfCheck
  /** What was ranked, the most sensitive layer first. */
  readonly layers: readonly LayerSensitivity[]
  /** What holds for all targets; for report.json, snake_case. */
  readonly report: object
}

/** Ranking runs a model per layer: a few pictures tell the order. */
const rankingImages = 8

/**
 * Whether a machine that computes `machineTargets` well adds products of weights with `weightBits` bits with saturation: x86-64
 * without VNNI does so with eight. The portable form, which is computed in float, then stands for the integers in the self-check.
 */
export function saturates(weightBits: number, machineTargets: readonly string[]): boolean {
  return weightBits > 7 && machineTargets.includes('x64') && !machineTargets.includes('x64-vnni')
}

/** What the last step may use beside what every step may. */
export interface Int8Context extends StepContext {
  /** Pictures of the same kind as `images` that ranges are not taken from; may be none. */
  readonly heldOut: CalibrationImages
  /** The int8 layouts that this machine computes well. */
  readonly machineTargets: readonly string[]
  readonly clock: Clock
}

/** Quantises `graph` (edge form, float). Throws `model.*`, `compress.*`, `dataset.*`, `inference.*`. */
export async function quantizeForTargets(
  graph: Graph,
  context: Int8Context,
  options: Int8Options,
): Promise<Int8Result> {
  requireFloat(graph)
  const { runner, images, heldOut, machineTargets, clock, onProgress } = context
  const each = options.targets.map((target): TargetOptions => ({ ...options, target }))
  const calibration = await calibrate(graph, each, runner, images, (_, done, total) => {
    onProgress(done / total, `calibrating on ${images.count} pictures`)
  })
  const rankings = new Map<Int8Target['rules'], readonly LayerSensitivity[]>()
  const measure = context.measure
  const float = measure && (await measure(graph, 'float'))
  const variants: Int8Variant[] = []
  const checked: Graph[] = []
  for (const one of each) {
    const ranked = async (whole: QuantizedModel): Promise<readonly LayerSensitivity[]> => {
      const { rules } = one.target
      const known = rankings.get(rules) ?? (await rankedLayers(whole, context))
      rankings.set(rules, known)
      return known
    }
    const { model, floatNodes, report } = await quantizedFor(graph, calibration, one, {
      ranked,
      measure,
      float,
    })
    variants.push({ target: one.target, graph: model.graph, ranges: report.ranges, report })
    checked.push(
      one.target.form === 'integer' && saturates(model.weightBits, machineTargets)
        ? quantize(graph, calibration, { ...one, floatNodes, target: { ...one.target, form: 'qdq' } }).graph
        : model.graph,
    )
  }
  const models = variants.map(({ target }, index) => ({ name: target.name, graph: checked[index]! }))
  const check = await selfCheck(graph, models, { calibration: images, heldOut }, clock, (fraction) => {
    onProgress(fraction, 'checking against float')
  })
  return {
    variants,
    check,
    layers: [...rankings.values()][0] ?? [],
    report: {
      calibration: { method: options.method, images: images.count, held_out: heldOut.count },
      ...(float !== undefined && { float_accuracy: float }),
    },
  }
}

type TargetOptions = Int8Options & QuantizeOptions

interface Judge {
  readonly ranked: (whole: QuantizedModel) => Promise<readonly LayerSensitivity[]>
  /** Both, where the user gave labelled pictures. */
  readonly measure: StepContext['measure'] | undefined
  readonly float: MeasuredAccuracy | undefined
}

async function quantizedFor(
  graph: Graph,
  calibration: Calibration,
  options: TargetOptions,
  judge: Judge,
): Promise<{
  readonly model: QuantizedModel
  readonly floatNodes: ReadonlySet<string>
  readonly report: { readonly ranges: RangesReport }
}> {
  const { target, maxDrop } = options
  const whole = quantize(graph, calibration, options)
  const { layers, control, accuracy } = await controlled(whole, options, judge)
  const floatNodes = new Set(layers?.slice(0, control?.floatLayers ?? 0).flatMap(({ nodes }) => nodes))
  const model = floatNodes.size === 0 ? whole : quantize(graph, calibration, { ...options, floatNodes })
  const { plan, scales, weightBits, rounding } = model
  const report = {
    target: target.name,
    machines: target.machines,
    form: target.form,
    weight_bits: weightBits,
    rounding,
    bias_correction: options.biasCorrection || rounding === 'compensated',
    ...(accuracy !== undefined && { accuracy }),
    ...(control !== undefined &&
      maxDrop !== undefined && {
        accuracy_control: {
          max_drop: maxDrop,
          float_layers: control.floatLayers,
          trials: control.trials.map(({ floatLayers, drop }) => ({ float_layers: floatLayers, drop })),
        },
      }),
    ...(layers !== undefined && {
      sensitivity: layers.map(({ name, error }) => ({ layer: name, error })),
    }),
    quantized_nodes: plan.quantized.size,
    float_nodes: plan.barriers.map(({ node, opType, reason }) => ({ node, operator: opType, reason })),
    ranges: rangesReport(model),
    values: [...scales].map(([value, { scale, zeroPoint }]) => ({ value, scale, zero_point: zeroPoint })),
  }
  return { model, floatNodes, report }
}

function rangesReport({ rangeUse, raisedRows }: QuantizedModel): RangesReport {
  return {
    hardly_exercised: rangeUse.filter(({ used }) => used < exercisedMin).map(({ value }) => value),
    saturated: rangeUse
      .filter(({ saturated }) => saturated > 0)
      .map(({ value, saturated }) => ({ value, share: saturated })),
    raised_rows: [...raisedRows].map(([node, rows]) => ({ node, rows })),
  }
}

interface Controlled {
  readonly layers: readonly LayerSensitivity[] | undefined
  readonly control: Awaited<ReturnType<typeof fewestFloatLayers>> | undefined
  readonly accuracy: MeasuredAccuracy | undefined
}

/** Measures where the user gave labelled pictures, and finds how many layers stay float where he gave a limit. */
async function controlled(
  whole: QuantizedModel,
  { sensitivity, maxDrop = Infinity, target }: TargetOptions,
  { ranked, measure, float }: Judge,
): Promise<Controlled> {
  let layers = sensitivity ? await ranked(whole) : undefined
  if (measure === undefined || float === undefined) return { layers, control: undefined, accuracy: undefined }
  const measured = new Map<number, MeasuredAccuracy>()
  const control = await fewestFloatLayers(
    quantizedConvolutions(whole.plan).length,
    maxDrop,
    async (count) => {
      if (count > 0) layers ??= await ranked(whole)
      const nodes = new Set(layers?.slice(0, count).flatMap((layer) => layer.nodes))
      const int8 = await measure(whole.withFloat(nodes), `int8 for ${target.name}, ${count} layers float`)
      measured.set(count, int8)
      return Math.max(float.map - int8.map, float.map50 - int8.map50)
    },
  )
  const accuracy = present(measured.get(control.floatLayers), 'the chosen model was measured')
  return { layers, control, accuracy }
}

function rankedLayers(whole: QuantizedModel, context: StepContext): Promise<readonly LayerSensitivity[]> {
  const { plan, withFloat } = whole
  const only = (nodes: ReadonlySet<string>): Graph =>
    withFloat(new Set([...plan.quantized].filter((name) => !nodes.has(name))))
  return rankLayers(plan, only, context.runner, evenly(context.images, rankingImages), (_, done, total) => {
    context.onProgress(done / total, `sensitivity of ${total} layers`)
  })
}
