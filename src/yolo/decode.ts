/**
 * From a model's raw outputs to detections in pixels of the original picture.
 * Invariant: all forms of output give the same detections. Scores are compared with the threshold first, and a box is
 * computed only for an anchor that takes part in non-max suppression.
 */

import { sigmoid } from '../base/numeric.js'
import { AgentError } from '../base/errors.js'
import { type BoxTable, boxCodingOf, requireProbabilities } from './box-coding.js'
import { toSourceBox } from './boxes.js'
import { type ByteScale, logitOf } from './byte-scale.js'
import { CandidateList } from './candidates.js'
import type { Detection, DetectionOptions } from './detection.js'
import { type DecodedOutput, finalRow } from './flat-outputs.js'
import { distanceBins } from './head-ending.js'
import type { Letterbox } from './letterbox.js'
import type { BoxTiles } from './lazy-boxes.js'
import type { HeadLevel, ModelDescription } from './model-description.js'
import { type BoxBuffer, type KeptBox, nonMaxSuppression } from './non-max-suppression.js'
import { type FloatScores, scanScores, type ScorePlane } from './score-plane.js'

/** How the raw values of a form relate to scores. */
interface ScoreScale {
  /** A raw value above it has a score above `conf`. */
  readonly threshold: number
  readonly scoreOf: (value: number) => number
}

/** One level of the head with the outputs of this picture. */
interface LevelOutput {
  readonly stride: number
  readonly columns: number
  readonly plane: ScorePlane
  readonly box: Float32Array | Uint8Array
  /** Where `box` is bytes. */
  readonly boxScale: ByteScale | undefined
  /** The place in `box` of a cell of the map. */
  readonly placeOf: (cell: number) => number
}

/** Outputs by name: row-major, batch 1; bytes where the model's description has a scale for them, int32 the numbers of tiles. */
export type ModelOutputs = ReadonlyMap<string, Float32Array | Uint8Array | Int32Array>

/** What decoding keeps per model, so that it does not allocate for every picture. */
interface Scratch {
  readonly candidates: CandidateList
  /** Best raw value and its class of each anchor (-1: none above the threshold), for one class per box. */
  readonly bestValue: Float32Array
  readonly bestClass: Int32Array
}

const scratches = new WeakMap<ModelDescription, Scratch>()

/**
 * Decodes the outputs of one picture (borrowed) and removes overlapping boxes. Best score first.
 * `outputs` holds the outputs that `model` names.
 * Throws `inference.output_invalid` when one is missing or has another type or size than `model` says.
 */
export function decodeDetections(
  outputs: ModelOutputs,
  model: ModelDescription,
  letterbox: Letterbox,
  options: DetectionOptions,
): Detection[] {
  return keptBoxes(outputs, model, options).map((box) => ({
    classIndex: box.classIndex,
    score: box.score,
    ...toSourceBox(box, letterbox),
  }))
}

function keptBoxes(
  outputs: ModelOutputs,
  model: ModelDescription,
  options: DetectionOptions,
): readonly KeptBox[] {
  const { output } = model
  switch (output.kind) {
    case 'decoded':
      return keepDecoded(outputs, model, output, options)
    case 'heads':
      return keepFromHeads(outputs, model, output.levels, options)
    case 'boxes':
      return finalBoxes(floatsOf(outputs, output.name), output.name, model.classNames.length, options)
  }
}

/** The rows of an output of final boxes whose score is above `conf`: nothing is left to suppress among them. */
function finalBoxes(
  values: Float32Array,
  name: string,
  classes: number,
  { conf, maxDet }: DetectionOptions,
): readonly KeptBox[] {
  if (values.length % finalRow !== 0) throw sizeMismatch(name, values.length, `a multiple of ${finalRow}`)
  const threshold = Math.fround(conf)
  const kept: KeptBox[] = []
  for (let at = 0; at < values.length; at += finalRow) {
    const score = values[at + 4]!
    if (!(score > threshold)) continue
    const classIndex = values[at + 5]!
    if (!Number.isInteger(classIndex) || classIndex < 0 || classIndex >= classes) {
      throw new AgentError(
        'inference.output_invalid',
        `decoding detections: output ${name} has a box of class ${classIndex}, expected one of 0..${classes - 1}`,
      )
    }
    const [x1, y1, x2, y2] = [values[at]!, values[at + 1]!, values[at + 2]!, values[at + 3]!]
    kept.push({ classIndex, score: Math.min(score, 1), x1, y1, x2, y2 })
  }
  return kept.sort((a, b) => b.score - a.score).slice(0, maxDet)
}

/** The boxes and scores of a decoded output, wherever each lies. */
export interface DecodedTables {
  readonly boxes: BoxTable
  readonly plane: FloatScores
}

/** Where the numbers of `output` lie in `outputs`. Throws `inference.output_invalid`. */
export function decodedTables(
  outputs: ModelOutputs,
  { name, scores, anchorsFirst }: DecodedOutput,
  classes: number,
): DecodedTables {
  const values = floatsOf(outputs, name)
  const rows = scores === undefined ? 4 + classes : 4
  const anchors = values.length / rows
  if (!Number.isInteger(anchors) || anchors === 0) {
    throw sizeMismatch(name, values.length, `a multiple of ${rows}`)
  }
  const scoreValues =
    scores === undefined ? values : sized(floatsOf(outputs, scores), scores, classes * anchors)
  const isJoint = scores === undefined
  const common = { anchors, firstAnchor: 0, classes, values: scoreValues }
  if (anchorsFirst === true) {
    const anchorStep = isJoint ? rows : classes
    return {
      boxes: { values, numberStep: 1, anchorStep: rows, anchors },
      plane: { ...common, offset: isJoint ? 4 : 0, anchorStep },
    }
  }
  return {
    boxes: { values, numberStep: anchors, anchorStep: 1, anchors },
    plane: { ...common, offset: isJoint ? 4 * anchors : 0 },
  }
}

/** `model` with what the numbers of its boxes mean, as one run on any picture shows. Throws `inference.output_invalid`. */
export function withBoxCoding(model: ModelDescription, outputs: ModelOutputs): ModelDescription {
  const { output, classNames, inputWidth, inputHeight } = model
  if (output.kind !== 'decoded') return model
  const { boxes, plane } = decodedTables(outputs, output, classNames.length)
  requireProbabilities(plane, output.scores ?? output.name)
  return { ...model, output: { ...output, coding: boxCodingOf(boxes, inputWidth, inputHeight) } }
}

function keepDecoded(
  outputs: ModelOutputs,
  model: ModelDescription,
  output: DecodedOutput,
  options: DetectionOptions,
): readonly KeptBox[] {
  const { boxes, plane } = decodedTables(outputs, output, model.classNames.length)
  const { values, numberStep, anchorStep } = boxes
  const scratch = scratchOf(model, boxes.anchors)
  const scale = { threshold: Math.fround(options.conf), scoreOf: identity }
  collect([plane], scale, scratch, options.multiLabel)
  const isCorners = output.coding?.corners === true
  const [unitX, unitY] =
    output.coding?.inShares === true ? [model.inputWidth, model.inputHeight] : ([1, 1] as const)
  return nonMaxSuppression(scratch.candidates, boxOf, options)

  function boxOf(anchor: number, into: BoxBuffer): void {
    const at = anchor * anchorStep
    const first = values[at]! * unitX
    const second = values[at + numberStep]! * unitY
    const third = values[at + 2 * numberStep]! * unitX
    const fourth = values[at + 3 * numberStep]! * unitY
    into[0] = isCorners ? first : first - third / 2
    into[1] = isCorners ? second : second - fourth / 2
    into[2] = isCorners ? third : first + third / 2
    into[3] = isCorners ? fourth : second + fourth / 2
  }
}

function keepFromHeads(
  outputs: ModelOutputs,
  model: ModelDescription,
  heads: readonly HeadLevel[],
  options: DetectionOptions,
): readonly KeptBox[] {
  const levels = levelOutputs(outputs, model, heads)
  const planes = levels.map((level) => level.plane)
  const last = planes.at(-1)!
  const scratch = scratchOf(model, last.firstAnchor + last.anchors)
  const scale = { threshold: logitOfScore(options.conf), scoreOf: sigmoid }
  collect(planes, scale, scratch, options.multiLabel)
  return nonMaxSuppression(scratch.candidates, boxOf, options)

  function boxOf(anchor: number, into: BoxBuffer): void {
    const level = levels.find(({ plane }) => anchor < plane.firstAnchor + plane.anchors)!
    const { stride, columns, plane } = level
    const cell = anchor - plane.firstAnchor
    const centreX = (cell % columns) + 0.5
    const centreY = Math.floor(cell / columns) + 0.5
    const place = level.placeOf(cell)
    into[0] = (centreX - sideDistance(level, place, 0)) * stride
    into[1] = (centreY - sideDistance(level, place, 1)) * stride
    into[2] = (centreX + sideDistance(level, place, 2)) * stride
    into[3] = (centreY + sideDistance(level, place, 3)) * stride
  }
}

/** The class logit whose sigmoid is `score`: what is compared instead of a sigmoid for the many that fail. */
export function logitOfScore(score: number): number {
  return Math.log(score / (1 - score))
}

/** Logits of one side. */
const sideLogits = new Float32Array(distanceBins)

/** The mean of a softmax over 16 bins, in cells: the distance of side 0..3 (left, top, right, bottom) from the anchor. */
function sideDistance({ box, boxScale, plane }: LevelOutput, place: number, side: number): number {
  const isBytes = boxScale !== undefined
  const step = isBytes ? 1 : plane.anchors
  const first = isBytes ? (4 * place + side) * distanceBins : place + side * distanceBins * plane.anchors
  let largest = -Infinity
  for (let bin = 0, at = first; bin < distanceBins; bin++, at += step) {
    const logit = isBytes ? logitOf(box[at]!, boxScale) : box[at]!
    sideLogits[bin] = logit
    if (logit > largest) largest = logit
  }
  let sum = 0
  let weighted = 0
  for (let bin = 0; bin < distanceBins; bin++) {
    const weight = Math.exp(sideLogits[bin]! - largest)
    sum += weight
    weighted += weight * bin
  }
  return weighted / sum
}

/** Fills the candidates with every score above the threshold, or with the best class of each anchor. */
function collect(
  planes: readonly ScorePlane[],
  scale: ScoreScale,
  scratch: Scratch,
  multiLabel: boolean,
): void {
  scratch.candidates.clear()
  if (multiLabel) collectEveryClass(planes, scale, scratch.candidates)
  else collectBestClass(planes, scale, scratch)
}

function collectEveryClass(
  planes: readonly ScorePlane[],
  scale: ScoreScale,
  candidates: CandidateList,
): void {
  for (const plane of planes) {
    scanScores(plane, scale.threshold, (anchor, classIndex, value) => {
      candidates.push(anchor, classIndex, scale.scoreOf(value))
    })
  }
}

function collectBestClass(planes: readonly ScorePlane[], scale: ScoreScale, scratch: Scratch): void {
  const { bestValue, bestClass, candidates } = scratch
  bestClass.fill(-1)
  for (const plane of planes) {
    scanScores(plane, scale.threshold, (anchor, classIndex, value) => {
      if (bestClass[anchor]! >= 0 && value <= bestValue[anchor]!) return
      bestValue[anchor] = value
      bestClass[anchor] = classIndex
    })
  }
  for (let anchor = 0; anchor < bestClass.length; anchor++) {
    const classIndex = bestClass[anchor]!
    if (classIndex >= 0) candidates.push(anchor, classIndex, scale.scoreOf(bestValue[anchor]!))
  }
}

function levelOutputs(
  outputs: ModelOutputs,
  model: ModelDescription,
  heads: readonly HeadLevel[],
): LevelOutput[] {
  const classes = model.classNames.length
  let firstAnchor = 0
  return heads.map(({ stride, box, cls, boxScale, clsScale, tiles }) => {
    const columns = Math.ceil(model.inputWidth / stride)
    const rows = Math.ceil(model.inputHeight / stride)
    const anchors = columns * rows
    const size = classes * anchors
    const plane: ScorePlane =
      clsScale === undefined
        ? { values: sized(floatsOf(outputs, cls), cls, size), offset: 0, anchors, firstAnchor, classes }
        : { bytes: sized(bytesOf(outputs, cls), cls, size), ...clsScale, anchors, firstAnchor, classes }
    firstAnchor += anchors
    const boxValues = boxScale === undefined ? floatsOf(outputs, box) : bytesOf(outputs, box)
    const numbers = tiles === undefined ? undefined : numbersOf(outputs, tiles.name)
    const cells = tiles === undefined ? anchors : numbers!.length * tiles.height * tiles.width
    return {
      stride,
      columns,
      plane,
      box: sized(boxValues, box, 4 * distanceBins * cells),
      boxScale,
      placeOf: tiles === undefined ? identity : placesIn(tiles, numbers!, { rows, columns }),
    }
  })
}

/** Where each cell of a map lies in its computed tiles, the `numbers`. */
function placesIn(
  { name, height, width }: BoxTiles,
  numbers: Int32Array,
  { rows, columns }: { readonly rows: number; readonly columns: number },
): (cell: number) => number {
  const across = Math.ceil(columns / width)
  const positions = new Int32Array(across * Math.ceil(rows / height)).fill(-1)
  numbers.forEach((number, position) => {
    positions[number] = position
  })
  return (cell) => {
    const [row, column] = [Math.floor(cell / columns), cell % columns]
    const tile = Math.floor(row / height) * across + Math.floor(column / width)
    const position = positions[tile]!
    if (position < 0) {
      throw new AgentError(
        'inference.output_invalid',
        `decoding detections: output ${name} has no boxes for tile ${tile}, in which the scores see an object`,
      )
    }
    return (position * height + (row % height)) * width + (column % width)
  }
}

function scratchOf(model: ModelDescription, anchors: number): Scratch {
  const known = scratches.get(model)
  if (known?.bestValue.length === anchors) return known
  const scratch = {
    candidates: new CandidateList(anchors, model.classNames.length),
    bestValue: new Float32Array(anchors),
    bestClass: new Int32Array(anchors),
  }
  scratches.set(model, scratch)
  return scratch
}

function outputOf(outputs: ModelOutputs, name: string): Float32Array | Uint8Array | Int32Array {
  const values = outputs.get(name)
  if (values !== undefined) return values
  const given = [...outputs.keys()].join(', ')
  throw new AgentError(
    'inference.output_invalid',
    `decoding detections: the session gave the outputs ${given}, expected one named ${name}`,
  )
}

function floatsOf(outputs: ModelOutputs, name: string): Float32Array {
  const values = outputOf(outputs, name)
  if (values instanceof Float32Array) return values
  throw typeMismatch(name, typeNameOf(values), 'floats')
}

function bytesOf(outputs: ModelOutputs, name: string): Uint8Array {
  const values = outputOf(outputs, name)
  if (values instanceof Uint8Array) return values
  throw typeMismatch(name, typeNameOf(values), 'bytes')
}

function numbersOf(outputs: ModelOutputs, name: string): Int32Array {
  const values = outputOf(outputs, name)
  if (values instanceof Int32Array) return values
  throw typeMismatch(name, typeNameOf(values), 'int32')
}

function typeNameOf(values: Float32Array | Uint8Array | Int32Array): string {
  if (values instanceof Int32Array) return 'int32'
  return values instanceof Uint8Array ? 'bytes' : 'floats'
}

function typeMismatch(name: string, type: string, expected: string): AgentError {
  return new AgentError(
    'inference.output_invalid',
    `decoding detections: output ${name} has ${type}, expected ${expected}`,
  )
}

function sized<T extends Float32Array | Uint8Array>(values: T, name: string, size: number): T {
  if (values.length !== size) throw sizeMismatch(name, values.length, String(size))
  return values
}

function sizeMismatch(name: string, size: number, expected: string): AgentError {
  return new AgentError(
    'inference.output_invalid',
    `decoding detections: output ${name} has ${size} values, expected ${expected}`,
  )
}

function identity(value: number): number {
  return value
}
