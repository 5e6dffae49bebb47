/**
 * What was found in one frame: one message a frame, so it is quick to write.
 *
 *     schema 2, full      "objects": [{"class": "bolt", "class_id": 0, "score": 0.912, "box": [..], "share": [..], "track_id": 7}]
 *     schema 1, compact   "boxes": [x1, y1, x2, y2, ...], "scores": [..], "classes": [..], "track_ids": [..]
 *
 * `box` and `boxes` are corners in pixels of the original picture with one decimal, `share` the same corners as shares of its
 * width and height with four; scores have three decimals; classes are indices into the model's class names, which only the
 * full form carries. A frame with more objects than a full message holds goes out compact.
 * Invariant: readers take both forms; in the compact one boxes, scores, classes and track ids have the same count of objects.
 */

import * as v from 'valibot'
import { AgentError } from '../base/errors.js'
import type { Detection } from '../yolo/detection.js'
import {
  amountField,
  countField,
  fractionField,
  integerField,
  lineField,
  listField,
  momentField,
  nameField,
  versionField,
  wireNotes,
} from './fields.js'
import { jsonPayload, type PayloadShape } from './json-payload.js'
import { limits } from './limits.js'

const objectCountMax = 3000

/** Class names are cut to this many UTF-16 units on the wire, as manifests allow no longer ones. */
const classNameLengthMax = 100

/** Track ids go from 1 to this and begin anew after it. */
export const trackIdMax = 2 ** 31 - 1

/** How detections are written: with names and shares, or as flat lists of numbers. */
export const detectionForms = ['full', 'compact'] as const
export type DetectionForm = (typeof detectionForms)[number]

/** An object in a frame. */
export interface FoundObject extends Detection {
  /** Name of its class; absent in the compact form. */
  readonly className?: string
  /** The same for one thing over frames, 1..{@link trackIdMax}; absent without tracking, and while a track is unconfirmed. */
  readonly trackId?: number
}

/** The detections of one frame. */
export interface FrameDetections {
  readonly frameId: number
  /** Wall time of capture, milliseconds since 1970. */
  readonly capturedAtMs: number
  /** What found them. */
  readonly model: string
  readonly version: string
  readonly variant: string
  /** Size of the original picture, pixels. */
  readonly width: number
  readonly height: number
  readonly detections: readonly FoundObject[]
  readonly latency: {
    readonly preprocessMs: number
    readonly inferenceMs: number
    readonly decodeMs: number
    /** From capture to the moment of sending. */
    readonly totalMs: number
  }
}

const pictureSideField = v.pipe(integerField(1, 65_536), wireNotes({ unit: 'pixels' }))
const trackIdField = integerField(1, trackIdMax)
const classIndexField = integerField(0, 65_535)

const frameEntries = {
  frameId: countField,
  capturedAt: momentField,
  model: nameField,
  version: versionField,
  variant: nameField,
  width: pictureSideField,
  height: pictureSideField,
  latency: v.object({
    preprocessMs: amountField,
    inferenceMs: amountField,
    decodeMs: amountField,
    totalMs: amountField,
  }),
}

const cornersOf = <T>(item: v.GenericSchema<unknown, T>): v.GenericSchema<unknown, [T, T, T, T]> =>
  v.strictTuple([item, item, item, item])

const fullSchema = v.object({
  ...frameEntries,
  objects: listField(
    v.object({
      class: lineField(classNameLengthMax),
      classId: classIndexField,
      score: fractionField,
      box: v.pipe(cornersOf(amountField), wireNotes({ unit: 'pixels: left, top, right, bottom' })),
      share: v.pipe(
        cornersOf(fractionField),
        wireNotes({ unit: 'shares of width and height: left, top, right, bottom' }),
      ),
      trackId: v.exactOptional(trackIdField),
    }),
    objectCountMax,
  ),
})

const compactSchema = v.pipe(
  v.object({
    ...frameEntries,
    boxes: v.pipe(
      listField(amountField, objectCountMax * 4),
      wireNotes({ unit: 'pixels: left, top, right, bottom of each' }),
    ),
    scores: listField(fractionField, objectCountMax),
    classes: listField(classIndexField, objectCountMax),
    trackIds: v.exactOptional(
      v.pipe(
        listField(integerField(0, trackIdMax), objectCountMax),
        wireNotes({ unit: '0 where an object has none' }),
      ),
    ),
  }),
  v.check(
    ({ boxes, scores, classes, trackIds }) =>
      boxes.length === scores.length * 4 &&
      classes.length === scores.length &&
      (trackIds === undefined || trackIds.length === scores.length),
    'four box coordinates, one score, one class and, where there are any, one track id an object',
  ),
)

type FullFrame = v.InferOutput<typeof fullSchema>
type CompactFrame = v.InferOutput<typeof compactSchema>

const wire = jsonPayload<FullFrame | CompactFrame>({
  what: 'detections',
  schema: fullSchema,
  bytesMax: limits.detectionsBytes,
  version: 2,
  alsoReads: new Map([[1, compactSchema]]),
})

/** The forms on the wire, for documents. */
export const detectionsWire: PayloadShape = wire.shape
export const compactDetectionsWire: PayloadShape = {
  ...wire.shape,
  what: 'compact detections',
  schema: compactSchema,
  version: 1,
}

const toTenths = (value: number): number => Math.round(value * 10) / 10
const toThousandths = (value: number): number => Math.round(value * 1000) / 1000
const toShare = (value: number, whole: number): number =>
  Math.min(1, Math.max(0, Math.round((value / whole) * 10_000) / 10_000))

/** Reads the detections of one frame, in either form. Throws `protocol.*` errors that name the field. */
export function parseDetections(bytes: Uint8Array): FrameDetections {
  const parsed = wire.parse(bytes)
  const { frameId, capturedAt, model, version, variant, width, height, latency } = parsed
  const detections = 'objects' in parsed ? parsed.objects.map(objectFrom) : objectsFromLists(parsed)
  const frame = { frameId, model, version, variant, width, height, latency, detections }
  return { ...frame, capturedAtMs: Date.parse(capturedAt) }
}

function objectFrom(object: FullFrame['objects'][number]): FoundObject {
  const [x1, y1, x2, y2] = object.box
  return {
    classIndex: object.classId,
    className: object.class,
    score: object.score,
    ...{ x1, y1, x2, y2 },
    ...(object.trackId !== undefined && { trackId: object.trackId }),
  }
}

function objectsFromLists({ boxes, scores, classes, trackIds }: CompactFrame): readonly FoundObject[] {
  return scores.map((score, index): FoundObject => {
    const trackId = trackIds?.[index] ?? 0
    return {
      classIndex: classes[index]!,
      score,
      x1: boxes[index * 4]!,
      y1: boxes[index * 4 + 1]!,
      x2: boxes[index * 4 + 2]!,
      y2: boxes[index * 4 + 3]!,
      ...(trackId > 0 && { trackId }),
    }
  })
}

/**
 * Writes the detections of one frame, in the compact form where the full one does not fit in a message (about 450 objects).
 * Runs once a frame: it does not check its own side's values. An object without a name is called by its class number.
 * Throws `protocol.payload_oversized` for more objects than a compact message holds (about 2,000).
 */
export function encodeDetections(frame: FrameDetections, form: DetectionForm): Uint8Array {
  const bytes = form === 'full' ? encodeFull(frame) : encodeCompact(frame)
  if (bytes.byteLength <= limits.detectionsBytes) return bytes
  if (form === 'full') return encodeDetections(frame, 'compact')
  throw new AgentError(
    'protocol.payload_oversized',
    `cannot send ${frame.detections.length} detections of one frame: they take ${bytes.byteLength} bytes, expected at most ${limits.detectionsBytes}`,
  )
}

function encodeFull(frame: FrameDetections): Uint8Array {
  const { width, height } = frame
  const objects = frame.detections.map(({ classIndex, className, score, x1, y1, x2, y2, trackId }) => ({
    class: wireName(className, classIndex),
    class_id: classIndex,
    score: toThousandths(score),
    box: [toTenths(x1), toTenths(y1), toTenths(x2), toTenths(y2)],
    share: [toShare(x1, width), toShare(y1, height), toShare(x2, width), toShare(y2, height)],
    track_id: trackId,
  }))
  return Buffer.from(JSON.stringify({ schema: 2, ...headOf(frame), objects, ...tailOf(frame) }))
}

function encodeCompact(frame: FrameDetections): Uint8Array {
  const boxes: number[] = []
  const scores: number[] = []
  const classes: number[] = []
  let hasTracks = false
  for (const { x1, y1, x2, y2, score, classIndex, trackId } of frame.detections) {
    boxes.push(toTenths(x1), toTenths(y1), toTenths(x2), toTenths(y2))
    scores.push(toThousandths(score))
    classes.push(classIndex)
    hasTracks ||= trackId !== undefined
  }
  const tracks = hasTracks ? { track_ids: frame.detections.map(({ trackId }) => trackId ?? 0) } : {}
  const lists = { boxes, scores, classes, ...tracks }
  return Buffer.from(JSON.stringify({ schema: 1, ...headOf(frame), ...lists, ...tailOf(frame) }))
}

/** A class name as it may stand on the wire: one line, not too long; its number where there is none. */
function wireName(name: string | undefined, classIndex: number): string {
  if (name === undefined || name === '') return `class ${classIndex}`
  return name.length <= classNameLengthMax ? name : name.slice(0, classNameLengthMax)
}

function headOf(frame: FrameDetections): object {
  return {
    frame_id: frame.frameId,
    captured_at: new Date(frame.capturedAtMs).toISOString(),
    model: frame.model,
    version: frame.version,
    variant: frame.variant,
    width: frame.width,
    height: frame.height,
  }
}

function tailOf({ latency }: FrameDetections): object {
  return {
    latency: {
      preprocess_ms: toTenths(latency.preprocessMs),
      inference_ms: toTenths(latency.inferenceMs),
      decode_ms: toTenths(latency.decodeMs),
      total_ms: toTenths(latency.totalMs),
    },
  }
}
