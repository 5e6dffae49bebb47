/**
 * A picture and its boxes on a canvas of the size at which it is shown.
 * Invariant: box corners are where the detections say, to half a device pixel; lines and letters are crisp on any screen.
 */

import type { FrameDetections } from '../../protocol/detections.js'
import type { PreviewFrame } from '../../protocol/preview.js'
import { classColor, cssColor } from '../../yolo/class-color.js'
import { classLabel } from '../fleet/class-look.js'

/** What the canvas shows. */
export interface DrawnScene {
  readonly bitmap: ImageBitmap | undefined
  readonly frame: PreviewFrame | undefined
  readonly detections: FrameDetections | undefined
}

interface Look {
  readonly hasBoxes: boolean
  readonly classNames: readonly string[]
}

const drawnMax = 500

export function drawScene(
  canvas: HTMLCanvasElement,
  scene: DrawnScene,
  { hasBoxes, classNames }: Look,
): void {
  const { bitmap, frame, detections } = scene
  const { width, height } = frame ?? detections ?? bitmap ?? { width: 16, height: 9 }
  fit(canvas, width / height)
  const context = canvas.getContext('2d')
  if (context === null) return
  drawGround(context, bitmap)
  canvas.dataset['frame'] = String((frame ?? detections)?.frameId ?? '')
  canvas.dataset['boxes'] = String(detections?.detections.length ?? 0)
  if (hasBoxes && detections !== undefined) drawBoxes(context, detections, classNames)
}

function drawGround(context: CanvasRenderingContext2D, bitmap: ImageBitmap | undefined): void {
  const { canvas } = context
  if (bitmap !== undefined) {
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
    return
  }
  context.fillStyle = getComputedStyle(canvas).backgroundColor
  context.fillRect(0, 0, canvas.width, canvas.height)
}

/** Gives the canvas the shape of the picture and the pixels of the screen. */
function fit(canvas: HTMLCanvasElement, ratio: number): void {
  const bounded = Math.min(4, Math.max(0.25, ratio))
  canvas.style.aspectRatio = String(bounded)
  const width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio))
  const height = Math.max(1, Math.round(width / bounded))
  if (canvas.width === width && canvas.height === height) return
  canvas.width = width
  canvas.height = height
}

function drawBoxes(
  context: CanvasRenderingContext2D,
  frame: FrameDetections,
  classNames: readonly string[],
): void {
  const { canvas } = context
  const scaleX = canvas.width / frame.width
  const scaleY = canvas.height / frame.height
  const line = Math.max(2, Math.round(canvas.width / 420))
  const letter = Math.max(11 * devicePixelRatio, Math.round(canvas.width / 70))
  context.lineWidth = line
  context.lineJoin = 'round'
  context.font = `600 ${letter}px system-ui, sans-serif`
  context.textBaseline = 'middle'
  const shown = frame.detections.slice(0, drawnMax).sort((one, other) => one.score - other.score)
  for (const found of shown) {
    const { classIndex, score, trackId, x1, y1, x2, y2 } = found
    const left = x1 * scaleX
    const top = y1 * scaleY
    context.strokeStyle = cssColor(classColor(classIndex))
    context.strokeRect(left, top, (x2 - x1) * scaleX, (y2 - y1) * scaleY)
    const track = trackId === undefined ? '' : ` #${trackId}`
    const text = `${classLabel(found, classNames)} ${score.toFixed(2)}${track}`
    const tagHeight = letter * 1.5
    const tagTop = top >= tagHeight ? top - tagHeight : top
    const tagWidth = context.measureText(text).width + letter * 0.8
    const tagLeft = Math.max(0, Math.min(left - line / 2, canvas.width - tagWidth))
    context.fillStyle = cssColor(classColor(classIndex))
    context.fillRect(tagLeft, tagTop, tagWidth, tagHeight)
    context.fillStyle = '#0b0f0e'
    context.fillText(text, tagLeft + letter * 0.4, tagTop + tagHeight / 2)
  }
}
