/** What quantisation does to each layer, for the report. Invariant: plain data; histograms are short enough to draw. */

import type { CalibrationImages, GraphRunner } from '../../compress/ports.js'
import type { Calibration, QuantizedModel } from '../../compress/quantization/quantize.js'
import type { ValueHistogram } from '../../compress/quantization/calibration/value-histogram.js'
import { rankLayers } from '../../compress/quantization/sensitivity.js'
import { indexOf } from '../../onnx/graph.js'
import type { Tell } from './tell.js'

export interface LayerHistogram {
  readonly layer: string
  /** The value behind the layer's activation. */
  readonly value: string
  /** What was seen. */
  readonly min: number
  readonly max: number
  /** What the integers reach. */
  readonly low: number
  readonly high: number
  /** Part of the values in each of equal steps from min to max. */
  readonly shares: readonly number[]
}

export interface LayerFigures {
  /** The most sensitive first: mean squared change of the heads when the layer alone is quantised. */
  readonly layers: readonly { readonly name: string; readonly error: number }[]
  /** Of the worst layers. */
  readonly histograms: readonly LayerHistogram[]
}

const rankingImages = 4
const drawnLayers = 6
const drawnBins = 64

export async function layerFigures(
  quantized: QuantizedModel,
  calibration: Calibration,
  runner: GraphRunner,
  images: CalibrationImages,
  tell: Tell,
): Promise<LayerFigures> {
  const { plan, scales, withFloat } = quantized
  const count = Math.min(rankingImages, images.count)
  const few: CalibrationImages = {
    count,
    read: (index, size) => images.read(Math.floor((index * images.count) / count), size),
  }
  const layers = await rankLayers(
    plan,
    (nodes) => withFloat(new Set([...plan.quantized].filter((name) => !nodes.has(name)))),
    runner,
    few,
    (_, done, total) => {
      tell(done / total, `sensitivity of ${total} layers`)
    },
  )
  const nodeOf = new Map(plan.graph.nodes.map((node) => [node.name, node]))
  const { usersOf } = indexOf(plan.graph)
  const histograms = layers.flatMap(({ name, nodes }): readonly LayerHistogram[] => {
    const outputs = [...nodes].reverse().flatMap((each) => nodeOf.get(each)?.outputs ?? [])
    const value = outputs.find((each) => calibration.histograms.has(each) && scales.has(each))
    if (value === undefined || usersOf(value).length === 0) return []
    const histogram = calibration.histograms.get(value)!
    const { scale, zeroPoint } = scales.get(value)!
    const { min, max } = histogram.range
    const [low, high] = [(0 - zeroPoint) * scale, (255 - zeroPoint) * scale]
    return [{ layer: name, value, min, max, low, high, shares: sharesOf(histogram) }]
  })
  return {
    layers: layers.map(({ name, error }) => ({ name, error })),
    histograms: histograms.slice(0, drawnLayers),
  }
}

function sharesOf(histogram: ValueHistogram): readonly number[] {
  const { bins, count, range } = histogram
  const shares = new Array<number>(drawnBins).fill(0)
  const width = Math.max(range.max - range.min, 1e-9)
  bins.forEach((amount, index) => {
    if (amount === 0) return
    const at = Math.floor(((histogram.center(index) - range.min) / width) * drawnBins)
    shares[Math.min(drawnBins - 1, Math.max(0, at))]! += amount / count
  })
  return shares
}
