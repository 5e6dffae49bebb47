/**
 * How far the outputs of a changed detector are from those of the original, in what detection depends on.
 * Formula: sum (p - p')^2 / sum p^2 over class probabilities, plus `boxWeight` times the mean squared box difference,
 * relative to the box area, weighted by the squared best probability of each anchor.
 * Invariant: 0 for equal outputs.
 */

import { present } from '../../base/assert.js'
import { isAgentError } from '../../base/errors.js'
import type { Graph } from '../../onnx/graph.js'
import { describeModel, type ModelDescription } from '../../yolo/model-description.js'
import type { Feeds } from '../ports.js'

const boxWeight = 4

/** Compares two sets of outputs of graphs with the outputs of `graph`. */
export type OutputDamage = (reference: Feeds, candidate: Feeds) => number

/** The measure for `graph`: of detections where it is a YOLOv8 detector, else the relative squared error. */
export function outputDamageOf(graph: Graph): OutputDamage {
  try {
    const { output } = describeModel(graph)
    return (reference, candidate) =>
      detectionDamage(anchorsOf(output, reference), anchorsOf(output, candidate))
  } catch (thrown) {
    if (isAgentError(thrown, 'model.not_yolov8')) return relativeError
    throw thrown
  }
}

function relativeError(reference: Feeds, candidate: Feeds): number {
  let [error, energy] = [0, 0]
  for (const [name, tensor] of reference) {
    const other = present(candidate.get(name), 'both graphs have the same outputs').data
    for (let at = 0; at < tensor.data.length; at++) {
      error += (Number(tensor.data[at]) - Number(other[at])) ** 2
      energy += Number(tensor.data[at]) ** 2
    }
  }
  return error / Math.max(energy, 1e-12)
}

/** Anchor planes: four box numbers each and the probability of each class. */
interface Anchors {
  readonly count: number
  readonly classes: number
  readonly box: (side: number, anchor: number) => number
  readonly area: (anchor: number) => number
  readonly probability: (name: number, anchor: number) => number
}

function detectionDamage(reference: readonly Anchors[], candidate: readonly Anchors[]): number {
  let [classError, classEnergy, boxError, boxEnergy] = [0, 0, 0, 0]
  reference.forEach((wanted, level) => {
    const got = present(candidate[level], 'both graphs have the same levels')
    for (let anchor = 0; anchor < wanted.count; anchor++) {
      let best = 0
      for (let name = 0; name < wanted.classes; name++) {
        const probability = wanted.probability(name, anchor)
        classEnergy += probability * probability
        classError += (probability - got.probability(name, anchor)) ** 2
        if (probability > best) best = probability
      }
      if (best < 0.01) continue
      let difference = 0
      for (let side = 0; side < 4; side++)
        difference += (wanted.box(side, anchor) - got.box(side, anchor)) ** 2
      boxError += best * best * Math.min(1, difference / Math.max(wanted.area(anchor), 1e-9))
      boxEnergy += best * best
    }
  })
  return classError / Math.max(classEnergy, 1e-12) + (boxWeight * boxError) / Math.max(boxEnergy, 1e-12)
}

function anchorsOf(output: ModelDescription['output'], values: Feeds): readonly Anchors[] {
  const read = (name: string): { data: Float32Array; dims: readonly number[] } =>
    present(values.get(name), `${name} is an output`) as never
  if (output.kind === 'decoded') {
    const { data, dims } = read(output.name)
    const count = dims[2]!
    return [
      {
        count,
        classes: dims[1]! - 4,
        box: (side, anchor) => data[side * count + anchor]!,
        area: (anchor) => data[2 * count + anchor]! * data[3 * count + anchor]!,
        probability: (name, anchor) => data[(4 + name) * count + anchor]!,
      },
    ]
  }
  return output.levels.map((level) => {
    const [box, cls] = [read(level.box), read(level.cls)]
    const count = cls.dims[2]! * cls.dims[3]!
    const side = (index: number, anchor: number): number =>
      expectation(box.data, index * 16 * count + anchor, count)
    return {
      count,
      classes: cls.dims[1]!,
      box: side,
      area: (anchor) => (side(0, anchor) + side(2, anchor)) * (side(1, anchor) + side(3, anchor)),
      probability: (name, anchor) => 1 / (1 + Math.exp(-cls.data[name * count + anchor]!)),
    }
  })
}

/** Mean bin of a distribution given by 16 logits, `stride` apart. */
function expectation(logits: Float32Array, start: number, stride: number): number {
  let [weights, sum] = [0, 0]
  for (let bin = 0; bin < 16; bin++) {
    const weight = Math.exp(logits[start + bin * stride]!)
    weights += weight
    sum += bin * weight
  }
  return sum / weights
}
