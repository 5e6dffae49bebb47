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

/** Prepares outputs of the original once; the result compares others with them. */
export type OutputDamage = (reference: Feeds) => (candidate: Feeds) => number

/** The measure for `graph`: of detections where it is a YOLOv8 detector, else the relative squared error. */
export function outputDamageOf(graph: Graph): OutputDamage {
  try {
    const { output } = describeModel(graph)
    return (reference) => {
      const wanted = anchorsOf(output, reference).map(rememberedAnchors)
      return (candidate) => detectionDamage(wanted, anchorsOf(output, candidate))
    }
  } catch (thrown) {
    if (isAgentError(thrown, 'model.not_yolov8')) return relativeError
    throw thrown
  }
}

function relativeError(reference: Feeds): (candidate: Feeds) => number {
  return (candidate) => {
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
}

/** One level: planes of class scores and the four box numbers of an anchor. */
interface Anchors {
  readonly count: number
  /** What `box` and `area` read. */
  readonly boxes: Float32Array
  readonly box: (side: number, anchor: number) => number
  readonly area: (anchor: number) => number
  /** Class scores, one plane of anchors after the other, and what makes them probabilities. */
  readonly scores: Float32Array
  readonly probability: (score: number) => number
}

/** What stays the same whatever the original is compared with. */
interface RememberedAnchors extends Anchors {
  readonly probabilities: Float32Array
  readonly energy: number
  readonly boxEnergy: number
  /** Anchors where something is seen, with their best probability. */
  readonly seen: readonly (readonly [anchor: number, best: number])[]
}

const seenFrom = 0.01

function rememberedAnchors(anchors: Anchors): RememberedAnchors {
  const probabilities = anchors.scores.map(anchors.probability)
  const best = new Float32Array(anchors.count)
  let energy = 0
  for (let start = 0; start < probabilities.length; start += anchors.count)
    for (let anchor = 0; anchor < anchors.count; anchor++) {
      const probability = probabilities[start + anchor]!
      energy += probability * probability
      if (probability > best[anchor]!) best[anchor] = probability
    }
  const seen = [...best.entries()].filter(([, probability]) => probability >= seenFrom)
  const boxEnergy = seen.reduce((sum, [, probability]) => sum + probability ** 2, 0)
  return { ...anchors, probabilities, energy, boxEnergy, seen }
}

function detectionDamage(reference: readonly RememberedAnchors[], candidate: readonly Anchors[]): number {
  let [classError, classEnergy, boxError, boxEnergy] = [0, 0, 0, 0]
  reference.forEach((wanted, level) => {
    const got = present(candidate[level], 'both graphs have the same levels')
    classEnergy += wanted.energy
    boxEnergy += wanted.boxEnergy
    // Values that nobody computed anew are the same, not merely equal.
    if (got.scores !== wanted.scores)
      for (let at = 0; at < wanted.probabilities.length; at++)
        classError += (wanted.probabilities[at]! - got.probability(got.scores[at]!)) ** 2
    if (got.boxes === wanted.boxes) return
    for (const [anchor, best] of wanted.seen) {
      let difference = 0
      for (let side = 0; side < 4; side++)
        difference += (wanted.box(side, anchor) - got.box(side, anchor)) ** 2
      boxError += best ** 2 * Math.min(1, difference / Math.max(wanted.area(anchor), 1e-9))
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
        boxes: data,
        box: (side, anchor) => data[side * count + anchor]!,
        area: (anchor) => data[2 * count + anchor]! * data[3 * count + anchor]!,
        scores: data.subarray(4 * count),
        probability: (score) => score,
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
      boxes: box.data,
      box: side,
      area: (anchor) => (side(0, anchor) + side(2, anchor)) * (side(1, anchor) + side(3, anchor)),
      scores: cls.data,
      probability: (score) => 1 / (1 + Math.exp(-score)),
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
