/**
 * One camera, live: the picture and the boxes of the same frame.
 * Invariant: pictures are asked for only while this is in sight; at most one picture is being decoded, newer ones replace
 * the one that waits; drawing happens once a display frame at most.
 */

import { useSignal } from '@preact/signals'
import type { VNode } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { encodeCommand } from '../../protocol/command.js'
import { type FrameDetections, parseDetections } from '../../protocol/detections.js'
import { encodePreviewRequest, parsePreview, previewCommand } from '../../protocol/preview.js'
import { FramePairs, type Scene } from '../fleet/frame-pairs.js'
import { every, monotonicMs } from './browser-clock.js'
import { drawScene, type DrawnScene } from './draw-scene.js'
import type { FleetFeed } from './fleet-feed.js'

interface Props {
  readonly feed: FleetFeed
  readonly device: string
  readonly camera: string
  readonly classNames: readonly string[]
  readonly onFrame: (frame: FrameDetections) => void
}

const leaseMs = 15_000
const askAgainMs = 6000
const noPictureAfterMs = 4000

export function LivePicture({ feed, device, camera, classNames, onFrame }: Props): VNode {
  const canvas = useRef<HTMLCanvasElement>(null)
  const hasBoxes = useSignal(true)
  const isLive = useSignal(false)
  const hasPicture = useSignal(false)
  const names = useRef(classNames)
  names.current = classNames
  useEffect(() => {
    const { topics } = feed
    const element = canvas.current
    if (topics === undefined || element === null) return undefined
    const screen = new PictureScreen(element, () => ({ hasBoxes: hasBoxes.value, classNames: names.current }))
    let heardAtMs = -Infinity
    let pictureAtMs = -Infinity
    let serial = 0
    const pairs = new FramePairs()
    const ask = (forMs: number): void => {
      const transaction = `page-${Math.round(monotonicMs())}-${serial++}`
      const widthMax = Math.min(1920, Math.max(320, Math.round(element.clientWidth * devicePixelRatio)))
      const args = encodePreviewRequest({ cameras: [camera], forMs, fpsMax: 15, widthMax })
      feed.link.send(topics.command(device, previewCommand), encodeCommand({ transaction, args }))
    }
    const stopHearing = feed.closeUp(
      [topics.detections(device, camera), topics.preview(device, camera)],
      (topic, payload) => {
        if (!('camera' in topic) || topic.device !== device || topic.camera !== camera) return
        const nowMs = monotonicMs()
        try {
          let scene: Scene | undefined
          if (topic.kind === 'detections') {
            const frame = parseDetections(payload)
            heardAtMs = nowMs
            onFrame(frame)
            scene = pairs.addDetections(frame, nowMs)
          } else {
            pictureAtMs = nowMs
            scene = pairs.addPicture(parsePreview(payload), nowMs)
          }
          if (scene !== undefined) screen.show(scene)
        } catch {
          // A message that is not what its topic says is not drawn; the next one may be.
        }
      },
    )
    ask(leaseMs)
    const stopAsking = every(askAgainMs, () => {
      if (document.visibilityState === 'visible') ask(leaseMs)
    })
    const stopLooking = every(500, () => {
      const nowMs = monotonicMs()
      isLive.value = nowMs - heardAtMs < noPictureAfterMs
      hasPicture.value = nowMs - pictureAtMs < noPictureAfterMs
    })
    return () => {
      stopHearing()
      stopAsking()
      stopLooking()
      ask(0)
      screen.close()
    }
  }, [device, camera])
  return (
    <div class="picture">
      <canvas
        ref={canvas}
        role="img"
        aria-label={`Live picture of camera ${camera} with the boxes of what was found`}
      />
      <p class="picture-note" role="status">
        {isLive.value
          ? hasPicture.value
            ? ''
            : 'Boxes only: the device sends no pictures'
          : `Nothing heard from camera ${camera}`}
      </p>
      <label class="switch">
        <input
          type="checkbox"
          checked={hasBoxes.value}
          onChange={(event) => {
            hasBoxes.value = event.currentTarget.checked
          }}
        />
        Boxes
      </label>
    </div>
  )
}

interface Look {
  readonly hasBoxes: boolean
  readonly classNames: readonly string[]
}

/** Decodes and draws; keeps only the newest scene that waits. */
class PictureScreen {
  readonly #canvas: HTMLCanvasElement
  readonly #lookOf: () => Look
  #waiting: Scene | undefined
  #isDecoding = false
  #isClosed = false
  #drawn: DrawnScene | undefined
  #request = 0

  constructor(canvas: HTMLCanvasElement, lookOf: () => Look) {
    this.#canvas = canvas
    this.#lookOf = lookOf
  }

  show(scene: Scene): void {
    this.#waiting = scene
    if (!this.#isDecoding) void this.#next()
  }

  close(): void {
    this.#isClosed = true
    cancelAnimationFrame(this.#request)
    this.#drawn?.bitmap?.close()
  }

  async #next(): Promise<void> {
    const scene = this.#waiting
    this.#waiting = undefined
    if (scene === undefined || this.#isClosed) return
    this.#isDecoding = true
    this.#put(scene, await decoded(scene))
    this.#isDecoding = false
    if (this.#hasWork()) void this.#next()
  }

  #hasWork(): boolean {
    return this.#waiting !== undefined && !this.#isClosed
  }

  /** Takes ownership of the bitmap. */
  #put(scene: Scene, bitmap: ImageBitmap | undefined): void {
    if (this.#isClosed) {
      bitmap?.close()
      return
    }
    this.#drawn?.bitmap?.close()
    this.#drawn = { bitmap, frame: scene.picture?.frame, detections: scene.detections }
    cancelAnimationFrame(this.#request)
    this.#request = requestAnimationFrame(() => {
      if (this.#drawn !== undefined) drawScene(this.#canvas, this.#drawn, this.#lookOf())
    })
  }
}

/** The picture of a scene; undefined when it has none, or none that this browser can decode: the boxes are drawn alone. */
async function decoded(scene: Scene): Promise<ImageBitmap | undefined> {
  if (scene.picture === undefined) return undefined
  try {
    return await createImageBitmap(new Blob([scene.picture.jpeg], { type: 'image/jpeg' }))
  } catch {
    return undefined
  }
}
