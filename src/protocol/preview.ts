/**
 * A picture of one camera, sent only while somebody asks for it.
 *
 *     SOI  COM "yolo-edge {...}"  rest of the JPEG
 *
 * The frame's number travels as a JPEG comment (ITU-T T.81, B.2.4.5): every viewer still shows the picture, and a page
 * can draw the boxes of exactly this frame over it.
 * Invariant: a parsed preview starts as a JPEG and is within the size limit; its sizes are those of the original picture.
 */

import * as v from 'valibot'
import { AgentError } from '../base/errors.js'
import { countField, integerField, listField, momentField, nameField, numberField } from './fields.js'
import { jsonPayload } from './json-payload.js'
import { camerasMax, limits } from './limits.js'

/** The name of the command that asks for pictures: `devices/<id>/cmd/preview`. */
export const previewCommand = 'preview'

/** A request lasts at most this long; whoever still looks asks again. */
export const previewLeaseMsMax = 30_000

/** Which frame a picture shows. */
export interface PreviewFrame {
  readonly frameId: number
  /** Wall time of capture, milliseconds since 1970. */
  readonly capturedAtMs: number
  /** Size of the original picture, pixels: the space in which the boxes of the frame are given. */
  readonly width: number
  readonly height: number
}

/** A picture as it arrived. */
export interface Preview {
  /** Absent where the picture does not say which frame it is. */
  readonly frame?: PreviewFrame
  /** The whole message; borrows the bytes that were parsed. */
  readonly jpeg: Uint8Array<ArrayBuffer>
}

/** Arguments of the preview command; snake_case on the wire. */
export interface PreviewRequest {
  /** All cameras unless given. */
  readonly cameras?: readonly string[]
  /** How long pictures are sent, from the command's arrival; 0 ends them. */
  readonly forMs: number
  /** Most pictures a second; 5 unless given. */
  readonly fpsMax?: number
  /** Wider pictures are made smaller, pixels; 640 unless given. */
  readonly widthMax?: number
}

/** The form of the arguments. */
export const previewRequestSchema: v.GenericSchema<unknown, PreviewRequest> = v.object({
  cameras: v.exactOptional(listField(nameField, camerasMax)),
  forMs: integerField(0, previewLeaseMsMax),
  fpsMax: v.exactOptional(numberField(0.1, 60)),
  widthMax: v.exactOptional(integerField(64, 3840)),
})

const marker = 'yolo-edge '
const startOfImage = [0xff, 0xd8] as const
const comment = [0xff, 0xfe] as const

const frameWire = jsonPayload({
  what: 'frame of a preview',
  schema: v.object({
    frameId: countField,
    capturedAt: momentField,
    width: integerField(1, 65_536),
    height: integerField(1, 65_536),
  }),
  bytesMax: 1024,
  version: 1,
})

const refused = (problem: string): AgentError =>
  new AgentError('protocol.payload_malformed', `cannot accept the preview: ${problem}`)

/** The arguments of a preview command as they go into `CommandRequest.args`. */
export function encodePreviewRequest(request: PreviewRequest): Readonly<Record<string, unknown>> {
  const { cameras, forMs, fpsMax, widthMax } = request
  return {
    ...(cameras !== undefined && { cameras }),
    for_ms: forMs,
    ...(fpsMax !== undefined && { fps_max: fpsMax }),
    ...(widthMax !== undefined && { width_max: widthMax }),
  }
}

/** Reads the arguments of a preview command. Throws `protocol.payload_malformed` that names the argument. */
export function parsePreviewRequest(args: Readonly<Record<string, unknown>> = {}): PreviewRequest {
  const { cameras, for_ms: forMs, fps_max: fpsMax, width_max: widthMax } = args
  const outcome = v.safeParse(previewRequestSchema, {
    forMs,
    ...(cameras !== undefined && { cameras }),
    ...(fpsMax !== undefined && { fpsMax }),
    ...(widthMax !== undefined && { widthMax }),
  })
  if (outcome.success) return outcome.output
  const [issue] = outcome.issues
  const name = v.getDotPath(issue) ?? 'the whole'
  throw new AgentError(
    'protocol.payload_malformed',
    `cannot accept the arguments of the command ${previewCommand}: ${name} is not ${issue.message}`,
  )
}

/** `jpeg` with the number of its frame inside; copies it once. Throws `protocol.payload_*` for what a reader would refuse. */
export function encodePreview(jpeg: Uint8Array, frame: PreviewFrame): Uint8Array<ArrayBuffer> {
  requireJpeg(jpeg)
  const { capturedAtMs, ...rest } = frame
  const json = frameWire.encode({ ...rest, capturedAt: new Date(capturedAtMs).toISOString() })
  const text = new TextEncoder().encode(marker)
  const segmentBytes = 2 + text.length + json.length
  const bytes = new Uint8Array(jpeg.length + 2 + segmentBytes)
  bytes.set(startOfImage)
  bytes.set([...comment, segmentBytes >> 8, segmentBytes & 0xff], 2)
  bytes.set(text, 6)
  bytes.set(json, 6 + text.length)
  bytes.set(jpeg.subarray(2), 6 + text.length + json.length)
  requireSize(bytes)
  return bytes
}

/** Reads a picture. Throws `protocol.payload_oversized` or `protocol.payload_malformed`; a frame that cannot be read counts as absent. */
export function parsePreview(bytes: Uint8Array<ArrayBuffer>): Preview {
  requireSize(bytes)
  requireJpeg(bytes)
  if (bytes[2] !== comment[0] || bytes[3] !== comment[1] || bytes.length < 6) return { jpeg: bytes }
  const end = 4 + bytes[4]! * 256 + bytes[5]!
  const start = 6 + marker.length
  if (end > bytes.length || new TextDecoder().decode(bytes.subarray(6, start)) !== marker)
    return { jpeg: bytes }
  try {
    const { capturedAt, ...rest } = frameWire.parse(bytes.subarray(start, end))
    return { jpeg: bytes, frame: { ...rest, capturedAtMs: Date.parse(capturedAt) } }
  } catch {
    // Another program's comment: the picture itself is still good.
    return { jpeg: bytes }
  }
}

function requireJpeg(bytes: Uint8Array): void {
  if (bytes[0] !== startOfImage[0] || bytes[1] !== startOfImage[1])
    throw refused('it is not a JPEG: it does not start with FF D8')
}

function requireSize(bytes: Uint8Array): void {
  if (bytes.byteLength <= limits.previewBytes) return
  throw new AgentError(
    'protocol.payload_oversized',
    `cannot accept the preview: it has ${bytes.byteLength} bytes, expected at most ${limits.previewBytes}`,
  )
}
