/**
 * The outputs of a detector that gives boxes instead of raw heads.
 * Invariant: shapes and the head decide what an output is; metadata decide only where both leave it open.
 *
 *      [1, 4 + classes, anchors]         as Ultralytics exports
 *      [1, anchors, 4 + classes]         the same, transposed
 *      [1, 4, anchors], [1, classes, anchors]   boxes and scores apart, either may be transposed with the other
 *      [1, N, 6]                         final boxes: suppression inside (nms=True), or a head that needs none
 */

import { AgentError } from '../base/errors.js'
import type { Graph, ValueInfo } from '../onnx/graph.js'
import type { BoxCoding } from './box-coding.js'
import { numberedClassNames } from './class-names.js'
import { classesOfEnding, headEndingOf } from './head-ending.js'
import { exportRemedy } from './picture-input.js'

/** A box and a probability of each class for every anchor. */
export interface DecodedOutput {
  readonly kind: 'decoded'
  /** Output `[1, 4 + classes, anchors]`, or `[1, 4, anchors]` where the scores are apart. */
  readonly name: string
  /** Output `[1, classes, anchors]` of the scores. */
  readonly scores?: string
  /** Whether the two last axes are exchanged. */
  readonly anchorsFirst?: true
  /** What the four numbers of a box are; centre and size in input pixels unless the first run told otherwise. */
  readonly coding?: BoxCoding
}

/** Boxes among which nothing is left to remove. */
export interface FinalOutput {
  readonly kind: 'boxes'
  /** Output `[1, N, 6]`: x1, y1, x2, y2 in input pixels, score, class index; rows of score 0 are empty. */
  readonly name: string
  /** N where the file fixes it. */
  readonly rows?: number
}

interface Described<T> {
  readonly classNames: readonly string[]
  readonly output: T
}

/** Values of a row of final boxes. */
export const finalRow = 6

/**
 * Describes `outputs` of `graph`, whose input has `size` pixels; `names` are those of the metadata.
 * Throws `model.not_yolov8`.
 */
export function describeFlat(
  graph: Graph,
  outputs: readonly ValueInfo[],
  size: { readonly width: number; readonly height: number },
  names: readonly string[] | undefined,
): Described<DecodedOutput | FinalOutput> {
  const flat = outputs.filter(({ shape }) => shape.length === 3)
  const [first, second] = flat
  if (first === undefined || outputs.length > 2 || flat.length !== outputs.length) throw unknownForm(outputs)
  const counts = anchorCounts(size)
  if (second === undefined) {
    return isFinal(graph, first, counts)
      ? describeFinal(graph, first, names)
      : describeJoint(graph, first, counts, { names, size })
  }
  return describeApart(graph, [first, second], counts, names)
}

/** Anchors of an input of this size for the strides 8..32, 8..64 (P6) and 4..32 (P2). */
function anchorCounts(size: { readonly width: number; readonly height: number }): number[] {
  const cells = (stride: number): number => Math.ceil(size.width / stride) * Math.ceil(size.height / stride)
  const base = cells(8) + cells(16) + cells(32)
  return [base, base + cells(64), base + cells(4)]
}

function isFinal(graph: Graph, { shape }: ValueInfo, counts: readonly number[]): boolean {
  const [, rows, values] = shape
  if (typeof values === 'number' && counts.includes(values)) return false
  if (headEndingOf(graph).selection !== undefined || graph.metadata.get('end2end') === 'True') return true
  return values === finalRow && typeof rows === 'number' && !counts.includes(rows)
}

function describeFinal(
  graph: Graph,
  output: ValueInfo,
  names: readonly string[] | undefined,
): Described<FinalOutput> {
  const [, rows, values] = output.shape
  if (typeof values === 'number' && values !== finalRow) {
    throw refused(
      `output ${shapeText(output)} has rows of ${values} values, expected ${finalRow}: x1, y1, x2, y2, score, class`,
    )
  }
  const ending = classesOfEnding(headEndingOf(graph), names?.length)
  requireDetector(graph, ending)
  const classes = names?.length ?? ending
  if (typeof classes !== 'number') {
    throw refused('neither its metadata nor its last convolutions tell the number of classes')
  }
  if (names !== undefined && typeof ending === 'number' && ending !== classes) {
    throw refused(`its head has ${ending} classes, and the metadata names ${classes}`)
  }
  return {
    classNames: names ?? numberedClassNames(classes),
    output: { kind: 'boxes', name: output.name, ...(typeof rows === 'number' && { rows }) },
  }
}

function describeJoint(
  graph: Graph,
  output: ValueInfo,
  counts: readonly number[],
  known: {
    readonly names: readonly string[] | undefined
    readonly size: { readonly width: number; readonly height: number }
  },
): Described<DecodedOutput> {
  const { names, size } = known
  const anchorsFirst = isAnchorsFirst(output, counts, names === undefined ? undefined : 4 + names.length)
  const [anchors, rows] = anchorsFirst ? output.shape.slice(1) : [output.shape[2], output.shape[1]]
  if (typeof anchors === 'number' && !counts.includes(anchors)) {
    throw refused(
      `output ${shapeText(output)} has ${anchors} anchors; a ${size.width}x${size.height} input has ${counts[0]!}`,
    )
  }
  const ending = classesOfEnding(headEndingOf(graph), names?.length)
  const classes = typeof rows === 'number' ? rows - 4 : (names?.length ?? ending)
  if (typeof classes !== 'number')
    throw refused(`output ${shapeText(output)} and the metadata do not tell the number of classes`)
  if (classes < 1)
    throw refused(`output ${shapeText(output)} has no class scores, expected [1,4+classes,anchors]`)
  return {
    classNames: namesFor(graph, names, classes, output),
    output: { kind: 'decoded', name: output.name, ...(anchorsFirst && { anchorsFirst }) },
  }
}

function describeApart(
  graph: Graph,
  pair: readonly [ValueInfo, ValueInfo],
  counts: readonly number[],
  names: readonly string[] | undefined,
): Described<DecodedOutput> {
  const candidates = pair.filter(({ shape }) => shape[1] === 4 || shape[2] === 4)
  const boxes = candidates.length === 2 ? candidates.find(({ name }) => /box/i.test(name)) : candidates[0]
  const scores = pair.find((output) => output !== boxes)
  if (boxes === undefined || scores === undefined) throw unknownForm(pair)
  const anchorsFirst = isAnchorsFirst(boxes, counts, 4)
  const [classes, anchors] = anchorsFirst ? scores.shape.slice(1).reverse() : scores.shape.slice(1)
  const [, ...sides] = boxes.shape
  const boxAnchors = anchorsFirst ? sides[0] : sides[1]
  const isFit = [anchors, boxAnchors].every((count) => typeof count !== 'number' || counts.includes(count))
  if (!isFit || typeof classes !== 'number' || classes < 1) throw unknownForm(pair)
  return {
    classNames: namesFor(graph, names, classes, scores),
    output: {
      kind: 'decoded',
      name: boxes.name,
      scores: scores.name,
      ...(anchorsFirst && { anchorsFirst }),
    },
  }
}

/** Whether `[1, anchors, rows]` fits better than `[1, rows, anchors]`. */
function isAnchorsFirst(
  { shape }: ValueInfo,
  counts: readonly number[],
  rows: number | undefined,
): true | undefined {
  const [, second, third] = shape
  const isCount = (dim: unknown): boolean => typeof dim === 'number' && counts.includes(dim)
  if (isCount(third)) return undefined
  if (isCount(second)) return true
  return typeof second !== 'number' && typeof third === 'number' && third === rows ? true : undefined
}

function namesFor(
  graph: Graph,
  names: readonly string[] | undefined,
  classes: number,
  output: ValueInfo,
): readonly string[] {
  if (names !== undefined && names.length !== classes) {
    throw refused(
      `output ${shapeText(output)} has ${classes} classes, and the metadata names ${names.length}`,
    )
  }
  const ending = classesOfEnding(headEndingOf(graph), classes)
  requireDetector(graph, ending)
  if (!isTold(graph) && typeof ending === 'number' && ending !== classes) {
    throw refused(
      `output ${shapeText(output)} has ${classes + 4} values for each anchor, and its head has ${ending} classes: it is no plain detector`,
    )
  }
  return names ?? numberedClassNames(classes)
}

/** Whether the file itself says that it is a detector. */
function isTold(graph: Graph): boolean {
  return graph.metadata.get('task') === 'detect'
}

function requireDetector(graph: Graph, ending: number | string | undefined): void {
  if (!isTold(graph) && typeof ending === 'string') throw refused(ending)
}

function unknownForm(outputs: readonly ValueInfo[]): AgentError {
  return refused(
    `it has the outputs ${outputs.map(shapeText).join(', ')}; expected [1,4+classes,anchors], final boxes [1,N,6], boxes and scores apart, or pairs [1,64,h,w], [1,classes,h,w]`,
  )
}

function shapeText(value: ValueInfo): string {
  return `${value.name} [${value.shape.map((dim) => dim ?? '?').join(',')}]`
}

function refused(problem: string): AgentError {
  return new AgentError('model.not_yolov8', `reading a YOLOv8 detection model: ${problem}`, {
    hint: exportRemedy,
  })
}
