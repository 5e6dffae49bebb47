/**
 * A camera whose scene is known: coloured blocks that move on a grey floor, and detections exactly where they are.
 * Invariant: the picture of a frame and its detections show the same moment.
 */

import sharp from 'sharp'
import type { Detection } from '../../src/yolo/detection.js'
import { encodeDetections } from '../../src/protocol/detections.js'
import { encodePreview } from '../../src/protocol/preview.js'
import type { Topics } from '../../src/protocol/topics.js'
import type { MqttConnection } from '../../src/transport/mqtt-connection.js'

interface Block {
  readonly classIndex: number
  readonly color: readonly [number, number, number]
  readonly width: number
  readonly height: number
  /** Pixels a frame. */
  readonly speed: number
  readonly y: number
}

/** Size of the original picture. */
export const sceneWidth = 1280
export const sceneHeight = 720

const pictureWidth = 640
const pictureHeight = 360

const blocks: readonly Block[] = [
  { classIndex: 0, color: [226, 88, 62], width: 120, height: 280, speed: 5, y: 330 },
  { classIndex: 2, color: [64, 140, 220], width: 330, height: 170, speed: -7, y: 440 },
  { classIndex: 0, color: [240, 190, 60], width: 100, height: 240, speed: 3, y: 300 },
  { classIndex: 7, color: [120, 190, 110], width: 380, height: 250, speed: 2, y: 180 },
]

/** Where the blocks are in a frame. */
export function sceneAt(frameId: number): readonly (Detection & Pick<Block, 'color'>)[] {
  return blocks.map(({ classIndex, color, width, height, speed, y }, index) => {
    const span = sceneWidth - width
    const path = (((index * 310 + frameId * speed) % (2 * span)) + 2 * span) % (2 * span)
    const x1 = path < span ? path : 2 * span - path
    return { classIndex, color, score: 0.92 - index * 0.11, x1, y1: y, x2: x1 + width, y2: y + height }
  })
}

async function drawScene(frameId: number): Promise<Uint8Array> {
  const scale = pictureWidth / sceneWidth
  const pixels = Buffer.alloc(pictureWidth * pictureHeight * 3)
  for (let y = 0; y < pictureHeight; y++)
    pixels.fill(52 + Math.round((y / pictureHeight) * 46), y * pictureWidth * 3, (y + 1) * pictureWidth * 3)
  for (const { color, x1, y1, x2, y2 } of [...sceneAt(frameId)].reverse()) {
    const from = Math.round(x1 * scale)
    const row = Buffer.from(Array.from({ length: Math.round((x2 - x1) * scale) }, () => color).flat())
    for (let y = Math.round(y1 * scale); y < Math.round(y2 * scale); y++)
      row.copy(pixels, (y * pictureWidth + from) * 3)
  }
  const raw = { width: pictureWidth, height: pictureHeight, channels: 3 } as const
  return sharp(pixels, { raw }).jpeg({ quality: 80 }).toBuffer()
}

interface Owner {
  readonly name: string
  readonly version: string
  readonly kind: { readonly variant: string; readonly latencyMs: number }
}

export class SimulatedCamera {
  readonly name: string
  frameId = 0
  readonly #connection: MqttConnection
  readonly #topics: Topics
  readonly #owner: Owner
  #timer: NodeJS.Timeout | undefined

  constructor(connection: MqttConnection, topics: Topics, owner: Owner, name: string) {
    this.#connection = connection
    this.#topics = topics
    this.#owner = owner
    this.name = name
  }

  /** The next frame: its detections, and its picture if `hasPicture`. */
  async sendFrame(hasPicture: boolean): Promise<void> {
    const frameId = ++this.frameId
    const capturedAtMs = Date.now()
    const { name, version, kind } = this.#owner
    const jitter = 1 + 0.12 * Math.abs(Math.sin(frameId * 12.9898))
    const latency = {
      preprocessMs: kind.latencyMs * 0.05,
      inferenceMs: kind.latencyMs * jitter,
      decodeMs: kind.latencyMs * 0.02,
      totalMs: kind.latencyMs * jitter * 1.4,
    }
    const size = { width: sceneWidth, height: sceneHeight }
    const frame = { model: 'yolov8n', version, variant: kind.variant, latency, detections: sceneAt(frameId) }
    const detections = encodeDetections({ frameId, capturedAtMs, ...size, ...frame }, 'full')
    await this.#connection.publish(this.#topics.detections(name, this.name), detections, { qos: 0 })
    if (!hasPicture) return
    const picture = encodePreview(await drawScene(frameId), { frameId, capturedAtMs, ...size })
    await this.#connection.publish(this.#topics.preview(name, this.name), picture, { qos: 0 })
  }

  /** Sends `fps` frames a second until stop(); pictures only while `isAsked`. */
  start(fps: number, isAsked: () => boolean): void {
    const startMs = performance.now()
    let sent = 0
    // Timers come late and never early: a late one sends what is due.
    this.#timer = setInterval(
      () => {
        const due = Math.floor(((performance.now() - startMs) * fps) / 1000)
        for (; sent < due; sent++) void this.sendFrame(isAsked())
      },
      Math.min(100, 500 / fps),
    )
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
