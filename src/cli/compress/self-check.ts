/**
 * The self-check at the end of a quantisation: int8 models beside the float model, on pictures that no range was taken from.
 * Invariant: what is looked at follows from the pictures alone, so that two runs compare the same; float is asked once for all models.
 */

import { copiedFrame } from '../../camera/shared-frame.js'
import type { Clock } from '../../base/clock.js'
import type { CalibrationImages } from '../../compress/ports.js'
import { compareDetections, largestScoreDifference } from '../../evaluation/agreement.js'
import { type PictureShift, pictureShifts, shiftedPicture } from '../../evaluation/picture-shifts.js'
import { exportModel } from '../../onnx/export-model.js'
import type { Graph } from '../../onnx/graph.js'
import { type Detector, openDetector } from '../../runtime/detector.js'
import type { SessionOptions } from '../../runtime/session-options.js'
import { type Detection, predictionOptions } from '../../yolo/detection.js'
import { letterbox } from '../../yolo/letterbox.js'
import { describeModel } from '../../yolo/model-description.js'
import { computationDigest } from './computation-digest.js'

/** The confidence at which both models have to find the same. */
export const checkedConfidence = predictionOptions.conf
/** Below it models are asked too: an object that one of them gives less is then still told by its score. */
const askedConfidence = 0.05
/** Pictures of which shifted copies are looked at: a part of those that were calibrated on, for the check not to cost more. */
const shiftedMost = 5
const shiftedFewest = 2
const shiftedPart = 16
/** Calibration pictures that float is asked about: all of a few, a part of many. */
const askedFewest = 8
const askedMost = 16
const askedPart = 8

/** Where pictures come from. */
export interface SelfCheckPictures {
  /** Those that ranges were taken from. */
  readonly calibration: CalibrationImages
  /** Those of the same kind that they were not taken from; may be none. */
  readonly heldOut: CalibrationImages
}

/** A model to check; `graph` computes the same on this machine as on those it is made for. */
export interface CheckedModel {
  readonly name: string
  readonly graph: Graph
}

/** How far an int8 model finds what float finds. */
export interface CheckFigures {
  /** Objects that float finds, and that int8 finds, at the checked confidence. */
  readonly floatFinds: number
  readonly int8Finds: number
  /** Harmonic mean of the shares of each model's objects that the other has, by class and overlap; 1 where neither finds any. */
  readonly f1: number
  /** The largest difference of scores of one object, 0..1. */
  readonly largestDifference: number
}

/** The figures of one model, of all pictures and by what was done to them. */
export interface ModelCheck extends CheckFigures {
  readonly name: string
  readonly kinds: readonly (CheckFigures & { readonly kind: 'as they are' | PictureShift })[]
}

export interface SelfCheck {
  readonly models: readonly ModelCheck[]
  /** Pictures looked at as they are, all held out of calibration, and shifted copies of these or of calibration pictures. */
  readonly heldOut: number
  readonly shiftedCopies: number
  /** Calibration pictures that float was asked about, and those in which it finds nothing. */
  readonly asked: number
  readonly empty: number
  /** What the check took. */
  readonly seconds: number
}

/** Portable forms are computed as they say: the runtime would else fuse them into integers of this machine. */
const session: SessionOptions = { niceness: 0, warmUpRuns: 0, extra: { 'session.disable_quant_qdq': '1' } }

/** Compares `models`, at least one, with `float` (edge form). Throws `inference.*`, `image.*`. */
export async function selfCheck(
  float: Graph,
  models: readonly CheckedModel[],
  pictures: SelfCheckPictures,
  clock: Clock,
  onProgress: (fraction: number) => void = () => undefined,
): Promise<SelfCheck> {
  const startMs = clock.monotonicMs()
  const frames = framesOf(pictures)
  const groups = alike(models)
  const reference = await openGraph(float)
  const detectors: Detector[] = []
  try {
    for (const [first] of groups.values()) detectors.push(await openGraph(first!.graph))
    const size = { width: reference.description.inputWidth, height: reference.description.inputHeight }
    const wanted = Math.floor(pictures.calibration.count / askedPart)
    const asked = evenly(pictures.calibration, Math.min(askedMost, Math.max(askedFewest, wanted)))
    let empty = 0
    for (let index = 0; index < asked.count; index++) {
      const found = await detectionsIn(reference, await asked.read(index, size))
      if (!found.some(({ score }) => score >= checkedConfidence)) empty++
      onProgress(index / (asked.count + frames.length))
    }
    const expected: (readonly Detection[])[] = []
    const found = detectors.map((): (readonly Detection[])[] => [])
    for (const [index, frame] of frames.entries()) {
      const pixels = await frame.read(size)
      expected.push(await detectionsIn(reference, pixels))
      for (const [model, detector] of detectors.entries())
        found[model]!.push(await detectionsIn(detector, pixels))
      onProgress((asked.count + index + 1) / (asked.count + frames.length))
    }
    const kinds = frames.map(({ kind }) => kind)
    const checks = [...groups.values()].flatMap((members, group) =>
      members.map(({ name }) => ({ name, ...checkOf(kinds, expected, found[group]!) })),
    )
    return {
      models: models.map(({ name }) => checks.find((check) => check.name === name)!),
      heldOut: pictures.heldOut.count,
      shiftedCopies: frames.length - pictures.heldOut.count,
      asked: asked.count,
      empty,
      seconds: (clock.monotonicMs() - startMs) / 1000,
    }
  } finally {
    for (const detector of [reference, ...detectors]) await detector.close()
  }
}

interface Size {
  readonly width: number
  readonly height: number
}

interface Frame {
  readonly kind: 'as they are' | PictureShift
  readonly read: (size: Size) => Promise<Uint8Array>
}

/** Held out pictures as they are, and every shift of them; of calibration pictures where none was held out. */
function framesOf({ heldOut, calibration }: SelfCheckPictures): readonly Frame[] {
  const source = heldOut.count > 0 ? heldOut : calibration
  const wanted = Math.floor(calibration.count / shiftedPart)
  const count = Math.min(source.count, shiftedMost, Math.max(shiftedFewest, wanted))
  const plain = Array.from({ length: heldOut.count }, (_, index): Frame => ({
    kind: 'as they are',
    read: (size) => heldOut.read(index, size),
  }))
  const shifted = pictureShifts.flatMap((kind) =>
    Array.from({ length: count }, (_, index): Frame => ({
      kind,
      read: async (size) => {
        const first = Math.floor((index * source.count) / count)
        const parts: Uint8Array[] = []
        for (let part = 0; part < (kind === 'mosaic' ? 4 : 1); part++)
          parts.push(await source.read((first + part) % source.count, size))
        return shiftedPicture(kind, parts, size)
      },
    })),
  )
  return [...plain, ...shifted]
}

/** Models by what they compute: files for two kinds of hardware may hold the same integers. */
function alike(models: readonly CheckedModel[]): ReadonlyMap<string, readonly CheckedModel[]> {
  const groups = new Map<string, CheckedModel[]>()
  for (const model of models) {
    const key = computationDigest(model.graph)
    groups.set(key, [...(groups.get(key) ?? []), model])
  }
  return groups
}

function openGraph(graph: Graph): Promise<Detector> {
  return openDetector({ bytes: exportModel(graph), description: describeModel(graph) }, session)
}

async function detectionsIn(detector: Detector, picture: Uint8Array): Promise<readonly Detection[]> {
  const size = { width: detector.description.inputWidth, height: detector.description.inputHeight }
  const frame = copiedFrame(picture, letterbox(size, size))
  return (await detector.detect(frame, { ...predictionOptions, conf: askedConfidence })).detections
}

function checkOf(
  kinds: readonly Frame['kind'][],
  expected: readonly (readonly Detection[])[],
  found: readonly (readonly Detection[])[],
): Omit<ModelCheck, 'name'> {
  const of = (kind?: Frame['kind']): CheckFigures => {
    const isMeant = (_: unknown, index: number): boolean => kind === undefined || kinds[index] === kind
    return figuresOf(expected.filter(isMeant), found.filter(isMeant))
  }
  return { ...of(), kinds: [...new Set(kinds)].map((kind) => ({ kind, ...of(kind) })) }
}

function figuresOf(
  expected: readonly (readonly Detection[])[],
  found: readonly (readonly Detection[])[],
): CheckFigures {
  const sure = (detections: readonly Detection[]): readonly Detection[] =>
    detections.filter(({ score }) => score >= checkedConfidence)
  const { both, onlyReference, onlyCandidate, f1 } = compareDetections(expected.map(sure), found.map(sure))
  return {
    floatFinds: both + onlyReference,
    int8Finds: both + onlyCandidate,
    f1,
    largestDifference: largestScoreDifference(expected, found, checkedConfidence),
  }
}

/** At most `count` of `images`, evenly chosen. */
export function evenly(images: CalibrationImages, count: number): CalibrationImages {
  const taken = Math.min(count, images.count)
  return {
    count: taken,
    read: (index, size) => images.read(Math.floor((index * images.count) / taken), size),
  }
}
