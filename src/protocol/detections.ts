/**
 * What was found in one frame: one message a frame, so it is kept small and quick to write.
 * Wire: `boxes` is flat, four corner coordinates a detection in pixels of the original picture with one decimal;
 * `scores` have three decimals; `classes` are indices into the model's class names.
 * Invariant: boxes, scores and classes have the same count of detections.
 */

import * as v from 'valibot'
import { AgentError } from '../base/errors.js'
import type { Detection } from '../yolo/detection.js'
import {
  amountField,
  countField,
  fractionField,
  integerField,
  listField,
  momentField,
  nameField,
  versionField,
} from './fields.js'
import { jsonPayload } from './json-payload.js'
import { limits } from './limits.js'

const detectionCountMax = 3000

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
  readonly detections: readonly Detection[]
  readonly latency: {
    readonly preprocessMs: number
    readonly inferenceMs: number
    readonly decodeMs: number
    /** From capture to the moment of sending. */
    readonly totalMs: number
  }
}

const wireSchema = v.pipe(
  v.object({
    frameId: countField,
    capturedAt: momentField,
    model: nameField,
    version: versionField,
    variant: nameField,
    width: integerField(1, 65_536),
    height: integerField(1, 65_536),
    boxes: listField(amountField, detectionCountMax * 4),
    scores: listField(fractionField, detectionCountMax),
    classes: listField(integerField(0, 65_535), detectionCountMax),
    latency: v.object({
      preprocessMs: amountField,
      inferenceMs: amountField,
      decodeMs: amountField,
      totalMs: amountField,
    }),
  }),
  v.check(
    ({ boxes, scores, classes }) => boxes.length === scores.length * 4 && classes.length === scores.length,
    'four box coordinates, one score and one class a detection',
  ),
)

const wire = jsonPayload({
  what: 'detections',
  schema: wireSchema,
  bytesMax: limits.detectionsBytes,
  version: 1,
})

const toTenths = (value: number): number => Math.round(value * 10) / 10
const toThousandths = (value: number): number => Math.round(value * 1000) / 1000

/** Reads the detections of one frame. */
export function parseDetections(bytes: Uint8Array): FrameDetections {
  const { boxes, scores, classes, capturedAt, ...rest } = wire.parse(bytes)
  const detections = scores.map((score, index): Detection => ({
    classIndex: classes[index]!,
    score,
    x1: boxes[index * 4]!,
    y1: boxes[index * 4 + 1]!,
    x2: boxes[index * 4 + 2]!,
    y2: boxes[index * 4 + 3]!,
  }))
  return { ...rest, capturedAtMs: Date.parse(capturedAt), detections }
}

/**
 * Writes the detections of one frame. Runs once a frame: it does not check its own side's values.
 * Throws `protocol.payload_oversized` for more detections than a message holds (about 2,000).
 */
export function encodeDetections(frame: FrameDetections): Uint8Array {
  const boxes: number[] = []
  const scores: number[] = []
  const classes: number[] = []
  for (const { x1, y1, x2, y2, score, classIndex } of frame.detections) {
    boxes.push(toTenths(x1), toTenths(y1), toTenths(x2), toTenths(y2))
    scores.push(toThousandths(score))
    classes.push(classIndex)
  }
  const { latency } = frame
  const bytes = Buffer.from(
    JSON.stringify({
      schema: 1,
      frame_id: frame.frameId,
      captured_at: new Date(frame.capturedAtMs).toISOString(),
      model: frame.model,
      version: frame.version,
      variant: frame.variant,
      width: frame.width,
      height: frame.height,
      boxes,
      scores,
      classes,
      latency: {
        preprocess_ms: toTenths(latency.preprocessMs),
        inference_ms: toTenths(latency.inferenceMs),
        decode_ms: toTenths(latency.decodeMs),
        total_ms: toTenths(latency.totalMs),
      },
    }),
  )
  if (bytes.byteLength <= limits.detectionsBytes) return bytes
  throw new AgentError(
    'protocol.payload_oversized',
    `cannot send ${frame.detections.length} detections of one frame: they take ${bytes.byteLength} bytes, expected at most ${limits.detectionsBytes}`,
  )
}
