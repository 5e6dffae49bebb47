/**
 * The step `--int8`, with accuracy control where the user gave a limit.
 * Invariant: it refuses a model that is quantised already before it looks at any picture.
 */

import { present } from '../../base/assert.js'
import { fewestFloatLayers } from '../../compress/quantization/accuracy-control.js'
import { quantizedConvolutions } from '../../compress/quantization/integer-convolution.js'
import {
  calibrate,
  quantize,
  type QuantizedModel,
  type QuantizeOptions,
  requireFloat,
} from '../../compress/quantization/quantize.js'
import { type LayerSensitivity, rankLayers } from '../../compress/quantization/sensitivity.js'
import type { CalibrationImages } from '../../compress/ports.js'
import type { Graph } from '../../onnx/graph.js'
import type { CompressStep, MeasuredAccuracy, StepContext, StepResult } from './step.js'

export interface Int8StepOptions extends QuantizeOptions {
  /** The largest loss of mAP50-95 and of mAP50, as a difference of numbers in 0..1. */
  readonly maxDrop: number | undefined
  /** Ranks the layers also where no limit asks for it. */
  readonly sensitivity: boolean
}

/** Ranking runs a model per layer: a few pictures tell the order. */
const rankingImages = 8

export function int8Step(options: Int8StepOptions): CompressStep {
  return { name: 'int8', run: (graph, context) => run(graph, context, options) }
}

async function run(graph: Graph, context: StepContext, options: Int8StepOptions): Promise<StepResult> {
  requireFloat(graph)
  const { runner, images, onProgress } = context
  const calibration = await calibrate(graph, options, runner, images, (_, done, total) => {
    onProgress(done / total, `calibrating on ${images.count} pictures`)
  })
  const whole = quantize(graph, calibration, options)
  const { layers, control, accuracy } = await controlled(graph, whole, context, options)
  const floatNodes = new Set(layers?.slice(0, control?.floatLayers ?? 0).flatMap(({ nodes }) => nodes))
  const chosen = floatNodes.size === 0 ? whole : quantize(graph, calibration, { ...options, floatNodes })
  const { plan, scales, weightBits, rounding } = chosen
  return {
    graph: chosen.graph,
    report: {
      target: options.target.name,
      form: options.target.form,
      calibration: { method: options.method, images: images.count },
      weight_bits: weightBits,
      rounding,
      bias_correction: options.biasCorrection || rounding === 'compensated',
      ...(accuracy !== undefined && { accuracy }),
      ...(control !== undefined && {
        accuracy_control: {
          max_drop: options.maxDrop,
          float_layers: control.floatLayers,
          trials: control.trials.map(({ floatLayers, drop }) => ({ float_layers: floatLayers, drop })),
        },
      }),
      ...(layers !== undefined && {
        sensitivity: layers.map(({ name, error }) => ({ layer: name, error })),
      }),
      quantized_nodes: plan.quantized.size,
      float_nodes: plan.barriers.map(({ node, opType, reason }) => ({ node, operator: opType, reason })),
      values: [...scales].map(([value, { scale, zeroPoint }]) => ({ value, scale, zero_point: zeroPoint })),
    },
  }
}

interface Controlled {
  readonly layers: readonly LayerSensitivity[] | undefined
  readonly control: Awaited<ReturnType<typeof fewestFloatLayers>> | undefined
  readonly accuracy: { readonly float: MeasuredAccuracy; readonly int8: MeasuredAccuracy } | undefined
}

/** Measures where the user gave labelled pictures, and finds how many layers stay float where he gave a limit. */
async function controlled(
  graph: Graph,
  whole: QuantizedModel,
  context: StepContext,
  options: Int8StepOptions,
): Promise<Controlled> {
  const { measure, onProgress } = context
  let layers = options.sensitivity ? await ranked(whole, context) : undefined
  if (measure === undefined) return { layers, control: undefined, accuracy: undefined }
  const float = await measure(graph, 'float')
  const measured = new Map<number, MeasuredAccuracy>()
  const control = await fewestFloatLayers(
    quantizedConvolutions(whole.plan).length,
    options.maxDrop ?? Infinity,
    async (count) => {
      if (count > 0) layers ??= await ranked(whole, context)
      const nodes = new Set(layers?.slice(0, count).flatMap((layer) => layer.nodes))
      const int8 = await measure(whole.withFloat(nodes), `int8, ${count} layers float`)
      measured.set(count, int8)
      return Math.max(float.map - int8.map, float.map50 - int8.map50)
    },
  )
  onProgress(1, `${control.floatLayers} layers stay float`)
  const accuracy = {
    float,
    int8: present(measured.get(control.floatLayers), 'the chosen model was measured'),
  }
  return { layers, control: options.maxDrop === undefined ? undefined : control, accuracy }
}

function ranked(whole: QuantizedModel, context: StepContext): Promise<readonly LayerSensitivity[]> {
  const { plan, withFloat } = whole
  const only = (nodes: ReadonlySet<string>): Graph =>
    withFloat(new Set([...plan.quantized].filter((name) => !nodes.has(name))))
  return rankLayers(plan, only, context.runner, firstOf(context.images, rankingImages), (_, done, total) => {
    context.onProgress(done / total, `sensitivity of ${total} layers`)
  })
}

/** At most `count` of `images`, evenly chosen. */
function firstOf(images: CalibrationImages, count: number): CalibrationImages {
  const taken = Math.min(count, images.count)
  return {
    count: taken,
    read: (index, size) => images.read(Math.floor((index * images.count) / taken), size),
  }
}
