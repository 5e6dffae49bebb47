/**
 * How far the outputs of a changed detector are from those of the original, in what detection depends on.
 * Formula: sum (sqrt p - sqrt p')^2 / sum p over class probabilities (Hellinger), plus `boxWeight` times the mean over
 * levels of 1 - IoU of the boxes, each anchor weighted by the square of its best probability. Sums run over all pictures:
 * one in which next to nothing is seen has next to no say. Levels count alike, as small objects do in mAP.
 * Invariant: 0 for equal outputs.
 */

import { sigmoid } from '../../base/numeric.js'
import { present } from '../../base/assert.js'
import { isAgentError } from '../../base/errors.js'
import type { Graph, ValueName } from '../../onnx/graph.js'
import type { Tensor } from '../../onnx/tensor.js'
import { type Box, boxIou } from '../../yolo/boxes.js'
import { describeModel, type ModelDescription } from '../../yolo/model-description.js'
import type { Feeds } from '../ports.js'

/** Fitted to what YOLOv8n loses of its mAP50-95 when single layers are cut to half. */
const boxWeight = 0.5

/** One thing that differs in one picture, in proportion to its size; the parts of all pictures are in the same order. */
interface DifferencePart {
  readonly weight: number
  readonly error: number
  readonly size: number
}

export type OutputDifference = readonly DifferencePart[]

/** Prepares outputs of the original once; the result compares others with them. */
export type OutputComparison = (reference: Feeds) => (candidate: Feeds) => OutputDifference

/** The damage that shows in the differences of all pictures together; 0 for none. */
export function damageOf(differences: readonly OutputDifference[]): number {
  const parts = differences[0] ?? []
  return parts.reduce((damage, { weight }, at) => {
    const sum = (of: 'error' | 'size'): number =>
      differences.reduce((total, difference) => total + difference[at]![of], 0)
    return damage + (weight * sum('error')) / Math.max(sum('size'), 1e-12)
  }, 0)
}

/** How outputs of `graph` are compared: as detections where it is a YOLOv8 detector, else value by value. */
export function outputComparisonOf(graph: Graph): OutputComparison {
  try {
    const { output } = describeModel(graph)
    if (!isComparable(output)) return valueDifference(graph.outputs.map(({ name }) => name))
    return (reference) => {
      const wanted = anchorsOf(output, reference).map(rememberedAnchors)
      return (candidate) => detectionDifference(wanted, anchorsOf(output, candidate))
    }
  } catch (thrown) {
    if (isAgentError(thrown, 'model.not_yolov8'))
      return valueDifference(graph.outputs.map(({ name }) => name))
    throw thrown
  }
}

type ComparableOutput = Exclude<ModelDescription['output'], { readonly kind: 'boxes' }>

/** Raw heads, or decoded boxes as Ultralytics exports them. */
function isComparable(output: ModelDescription['output']): output is ComparableOutput {
  if (output.kind === 'decoded') return output.scores === undefined && output.anchorsFirst !== true
  return output.kind === 'heads'
}

function valueDifference(outputs: readonly ValueName[]): OutputComparison {
  const values = (feeds: Feeds, name: ValueName): Tensor['data'] =>
    present(feeds.get(name), 'both graphs have the same outputs').data
  return (reference) => (candidate) => {
    let [error, energy] = [0, 0]
    for (const name of outputs) {
      const [wanted, got] = [values(reference, name), values(candidate, name)]
      for (let at = 0; at < wanted.length; at++) {
        error += (Number(wanted[at]) - Number(got[at])) ** 2
        energy += Number(wanted[at]) ** 2
      }
    }
    return [{ weight: 1, error, size: energy }]
  }
}

/** One level: planes of class scores, and the box of each anchor. */
interface Anchors {
  readonly count: number
  /** What boxes are read from. */
  readonly boxes: Float32Array
  /** From any origin and in any unit, the same for both graphs. */
  readonly box: (anchor: number) => Box
  /** Class scores, one plane of anchors after the other, and what makes them probabilities. */
  readonly scores: Float32Array
  readonly probability: (score: number) => number
}

/** What stays the same whatever the original is compared with. */
interface RememberedAnchors extends Anchors {
  /** Square roots of the class probabilities. */
  readonly roots: Float32Array
  /** Of all class probabilities. */
  readonly sum: number
  /** Anchors where something is seen, with the square of their best probability. */
  readonly seen: readonly (readonly [anchor: number, importance: number])[]
}

const seenFrom = 0.01

function rememberedAnchors(anchors: Anchors): RememberedAnchors {
  const { count, scores, probability } = anchors
  const best = new Float32Array(count)
  let sum = 0
  const roots = scores.map((score, at) => {
    const value = probability(score)
    sum += value
    best[at % count] = Math.max(best[at % count]!, value)
    return Math.sqrt(value)
  })
  const seen = [...best.entries()]
    .filter(([, value]) => value >= seenFrom)
    .map(([anchor, value]) => [anchor, value ** 2] as const)
  return { ...anchors, roots, sum, seen }
}

function detectionDifference(
  reference: readonly RememberedAnchors[],
  candidate: readonly Anchors[],
): OutputDifference {
  let [classError, classSize] = [0, 0]
  const boxes = reference.map((wanted, level): DifferencePart => {
    const got = present(candidate[level], 'both graphs have the same levels')
    classSize += wanted.sum
    classError += classErrorOf(wanted, got)
    const size = wanted.seen.reduce((total, [, importance]) => total + importance, 0)
    return { weight: boxWeight / reference.length, error: boxErrorOf(wanted, got), size }
  })
  return [{ weight: 1, error: classError, size: classSize }, ...boxes]
}

function classErrorOf({ scores, roots }: RememberedAnchors, got: Anchors): number {
  let error = 0
  // Values that nobody computed anew are the same, not merely equal.
  if (got.scores === scores) return error
  for (let at = 0; at < roots.length; at++)
    error += (roots[at]! - Math.fround(Math.sqrt(got.probability(got.scores[at]!)))) ** 2
  return error
}

function boxErrorOf(wanted: RememberedAnchors, got: Anchors): number {
  let error = 0
  if (got.boxes === wanted.boxes) return error
  for (const [anchor, importance] of wanted.seen)
    error += importance * (1 - boxIou(wanted.box(anchor), got.box(anchor)))
  return error
}

function anchorsOf(output: ComparableOutput, values: Feeds): readonly Anchors[] {
  const read = (name: string): { data: Float32Array; dims: readonly number[] } =>
    present(values.get(name), `${name} is an output`) as never
  if (output.kind === 'decoded') {
    const { data, dims } = read(output.name)
    const count = dims[2]!
    return [
      {
        count,
        boxes: data,
        box: (anchor) => {
          const [x, y, width, height] = [0, 1, 2, 3].map((row) => data[row * count + anchor]!) as Four
          return { x1: x - width / 2, y1: y - height / 2, x2: x + width / 2, y2: y + height / 2 }
        },
        scores: data.subarray(4 * count),
        probability: (score) => score,
      },
    ]
  }
  return output.levels.map((level) => {
    const [box, cls] = [read(level.box), read(level.cls)]
    const count = cls.dims[2]! * cls.dims[3]!
    return {
      count,
      boxes: box.data,
      // The anchor is the origin.
      box: (anchor) => {
        const [left, top, right, bottom] = [0, 1, 2, 3].map((side) =>
          expectation(box.data, side * 16 * count + anchor, count),
        ) as Four
        return { x1: -left, y1: -top, x2: right, y2: bottom }
      },
      scores: cls.data,
      probability: sigmoid,
    }
  })
}

type Four = [number, number, number, number]

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
