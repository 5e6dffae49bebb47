/**
 * From observed values to the scale and zero point of every quantised value.
 * Invariant: the values of one group get the same parameters; the same histograms give the same parameters;
 * ranges that a value must hold are held under every method.
 */

import { present } from '../../base/assert.js'
import { indexOf, type ValueName } from '../../onnx/graph.js'
import { type AffineFormat, affineParams, type AffineParams, type Range, unionOf } from './affine.js'
import { type CalibrationMethod, chooseRange } from './calibration/range-methods.js'
import { type ScaleMember, silu, siluAwareRanges, siluMin } from './calibration/silu-ranges.js'
import { ValueHistogram } from './calibration/value-histogram.js'
import type { QuantizationPlan, RangeSource, ScaleGroup } from './quantization-plan.js'

export interface ScaleOptions {
  readonly method: CalibrationMethod
  readonly format: AffineFormat
  /** Ends beyond which a value means the same: class logits below the lowest threshold in use. */
  readonly limits?: ReadonlyMap<ValueName, Range>
  /** Ranges that the integers of a value hold whatever was observed: what the logits of a head have to be able to say. */
  readonly held?: ReadonlyMap<ValueName, Range>
}

/** Parameters by value. `histograms` holds one for each of `plan.observed`. */
export function chooseScales(
  plan: QuantizationPlan,
  histograms: ReadonlyMap<ValueName, ValueHistogram>,
  options: ScaleOptions,
): ReadonlyMap<ValueName, AffineParams> {
  const scales = new Map<ValueName, AffineParams>()
  const before = new Map<ValueName, Range>()
  const later: ScaleGroup[] = []
  const siluInputs = new Set(
    plan.groups
      .flatMap((group) => group.sources)
      .flatMap((source) => (source.kind === 'silu' ? source.before : [])),
  )
  for (const group of plan.groups) {
    // What stands before a SiLU takes the range that suits the SiLU's own group.
    if (group.values.length === 1 && siluInputs.has(group.values[0]!)) later.push(group)
    else assign(group, rangeOfGroup(plan, group, histograms, options, before))
  }
  for (const group of later) {
    const chosen = before.get(group.values[0]!)
    assign(group, chosen ?? rangeOfGroup(plan, group, histograms, options, before))
  }
  return scales

  function assign(group: ScaleGroup, chosen: Range): void {
    const held = group.values.flatMap((value) => options.held?.get(value) ?? [])
    const range = unionOf([chosen, ...held])
    const params = affineParams(range.min, range.max, options.format)
    for (const value of group.values) scales.set(value, params)
  }
}

function rangeOfGroup(
  plan: QuantizationPlan,
  group: ScaleGroup,
  histograms: ReadonlyMap<ValueName, ValueHistogram>,
  options: ScaleOptions,
  before: Map<ValueName, Range>,
): Range {
  const { method, format } = options
  const fixed = group.sources.flatMap((source) =>
    source.kind === 'fixed' ? { min: source.min, max: source.max } : [],
  )
  const moving = group.sources.filter((source) => source.kind !== 'fixed')
  if (moving.length === 0) return unionOf(fixed)
  const unsigned = !format.symmetric && format.bits === 8
  if (method === 'silu' && unsigned && moving.some((source) => source.kind === 'silu')) {
    const members = moving.map((source) => memberOf(source, histograms))
    const ranges = siluAwareRanges(members)
    moving.forEach((source, index) => {
      const range = ranges.before[index]
      if (source.kind === 'silu' && range !== undefined) before.set(source.before, range)
    })
    return unionOf([ranges.after, ...fixed])
  }
  const merged = new ValueHistogram()
  for (const source of moving)
    merged.merge(limited(valuesOf(source, histograms), options.limits?.get(source.value)))
  // Logits that leave the graph are compared with each other: their ends count as much as their middle.
  const index = indexOf(plan.graph)
  const leaves = moving.some((source) => index.isOutput(source.value))
  const chosen = chooseRange(merged, leaves ? 'min-max' : method, format)
  const onlySilu = moving.every((source) => source.kind === 'silu')
  return unionOf([onlySilu && !format.symmetric ? { min: siluMin, max: chosen.max } : chosen, ...fixed])
}

function memberOf(source: RangeSource, histograms: ReadonlyMap<ValueName, ValueHistogram>): ScaleMember {
  return source.kind === 'silu'
    ? { kind: 'silu', before: histogramOf(histograms, source.before) }
    : { kind: 'plain', values: histogramOf(histograms, source.value) }
}

function valuesOf(source: RangeSource, histograms: ReadonlyMap<ValueName, ValueHistogram>): ValueHistogram {
  return source.kind === 'silu'
    ? histogramOf(histograms, source.before).mapped(silu)
    : histogramOf(histograms, source.value)
}

function limited(histogram: ValueHistogram, limit: Range | undefined): ValueHistogram {
  if (limit === undefined) return histogram
  return histogram.mapped((value) => Math.min(limit.max, Math.max(limit.min, value)))
}

function histogramOf(histograms: ReadonlyMap<ValueName, ValueHistogram>, value: ValueName): ValueHistogram {
  return present(histograms.get(value), `the values of ${value} were observed`)
}
