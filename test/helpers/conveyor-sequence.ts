/**
 * Conveyors with known truth: parts come in at one side, move, hide behind posts or each other, cross, and leave.
 * Detections are the visible part of each box with noise, missed more often and scored lower the more is hidden, and false ones.
 * Invariant: the same seed gives the same sequence; a part that is hidden for the most part is no truth in that frame.
 */

import { type Random, seededRandom } from '../../src/base/random.js'
import type { TrackedBox } from '../../src/evaluation/tracking-metrics.js'
import type { Detection } from '../../src/yolo/detection.js'

export interface SequenceFrame {
  readonly atMs: number
  readonly truth: readonly (TrackedBox & { readonly classIndex: number })[]
  readonly detections: readonly Detection[]
}

export interface ConveyorPlan {
  readonly kind: 'occlusion' | 'crossing' | 'leaving'
  readonly fps: number
  readonly seconds: number
  readonly seed: number
  /** Parts that come in a second; 2 unless given. */
  readonly partsPerSecond?: number
}

export const sequenceWidth = 1280
export const sequenceHeight = 720
const classCount = 4
/** Of a part, more than this hidden: nobody would label it. */
const hiddenMax = 0.75
const falsePerFrame = 0.15

interface Part {
  readonly id: number
  readonly classIndex: number
  readonly width: number
  readonly height: number
  readonly atMs: number
  readonly x: number
  readonly y: number
  /** Pixels a second. */
  readonly speedX: number
  readonly speedY: number
}

interface Box {
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
}

/** Posts in front of the belt of `occlusion`. */
const posts: readonly Box[] = [
  { x1: 400, y1: 0, x2: 470, y2: 720 },
  { x1: 820, y1: 0, x2: 930, y2: 720 },
]

/** Which detector noise there is; each stream of random numbers is its own, so that plans differ by one thing. */
export function conveyorSequence(plan: ConveyorPlan): readonly SequenceFrame[] {
  const parts = planParts(plan, seededRandom(plan.seed))
  const noise = seededRandom(plan.seed + 1)
  const count = Math.round(plan.seconds * plan.fps)
  let [first, come] = [0, 0]
  return Array.from({ length: count }, (_, index) => {
    const atMs = (index * 1000) / plan.fps
    while (come < parts.length && parts[come]!.atMs <= atMs) come++
    while (first < come && isOver(parts[first]!, atMs)) first++
    return frameAt(atMs, parts.slice(first, come), plan.kind === 'occlusion' ? posts : [], noise)
  })
}

function planParts({ kind, seconds, partsPerSecond = 2 }: ConveyorPlan, random: Random): readonly Part[] {
  const parts: Part[] = []
  const lanes = kind === 'crossing' ? 2 : 3
  const freeAtMs = new Float64Array(lanes)
  const wait = (): number => (1000 * lanes * (0.7 + 0.6 * random.next())) / partsPerSecond
  for (let lane = 0; lane < lanes; lane++) freeAtMs[lane] = -6000 + wait()
  for (let id = 1; ; id++) {
    const lane = freeAtMs.indexOf(Math.min(...freeAtMs))
    const atMs = freeAtMs[lane]!
    if (atMs > seconds * 1000) return parts
    freeAtMs[lane]! += wait()
    const width = 50 + random.next() * 70
    const height = 50 + random.next() * 70
    const classIndex = random.integer(classCount)
    const common = { id, classIndex, width, height, atMs }
    if (kind === 'crossing')
      parts.push(
        lane === 0
          ? { ...common, x: -width, y: 330 + random.next() * 40, speedX: 260, speedY: 0 }
          : { ...common, x: 600 + random.next() * 40, y: -height, speedX: 0, speedY: 200 },
      )
    else {
      // Lanes of `leaving` run at different speeds, side by side and in both directions.
      const speed = kind === 'leaving' ? [220, 300, -260][lane]! : 240 + 10 * lane
      const x = speed > 0 ? -width : sequenceWidth
      parts.push({ ...common, x, y: 90 + lane * 190 + random.next() * 30, speedX: speed, speedY: 0 })
    }
  }
}

/** Whether a part has left the picture for good. */
function isOver({ x, y, speedX, speedY, width, atMs: fromMs }: Part, atMs: number): boolean {
  const seconds = (atMs - fromMs) / 1000
  const [nowX, nowY] = [x + speedX * seconds, y + speedY * seconds]
  return nowX > sequenceWidth + width || nowX < -2 * width || nowY > sequenceHeight
}

function frameAt(atMs: number, parts: readonly Part[], hiding: readonly Box[], noise: Random): SequenceFrame {
  const there = parts.flatMap((part) => {
    const seconds = (atMs - part.atMs) / 1000
    if (seconds < 0) return []
    const x = part.x + part.speedX * seconds
    const y = part.y + part.speedY * seconds
    const whole = { x1: x, y1: y, x2: x + part.width, y2: y + part.height }
    const seen = clipped(whole)
    return seen === undefined ? [] : [{ part, whole, seen }]
  })
  const truth: SequenceFrame['truth'][number][] = []
  const detections: Detection[] = []
  for (const { part, whole, seen } of there) {
    const nearer = there.filter((other) => other.part.id > part.id).map((other) => other.seen)
    const hidden = hiddenShare(whole, seen, [...hiding, ...nearer])
    if (hidden > hiddenMax) continue
    truth.push({ id: part.id, classIndex: part.classIndex, ...seen })
    const score = Math.min(0.98, Math.max(0.03, 0.93 - hidden * 0.9 + noise.normal() * 0.06))
    const wrongClass = noise.next() < 0.01 ? 1 : 0
    const width = seen.x2 - seen.x1
    const height = seen.y2 - seen.y1
    const jitter = (side: number): number => noise.normal() * side * 0.025
    const box = {
      x1: seen.x1 + jitter(width),
      y1: seen.y1 + jitter(height),
      x2: seen.x2 + jitter(width),
      y2: seen.y2 + jitter(height),
    }
    if (noise.next() < 0.02 + hidden * 0.3 || score < 0.1) continue
    detections.push({ ...box, score, classIndex: (part.classIndex + wrongClass) % classCount })
  }
  if (noise.next() < falsePerFrame) {
    const x1 = noise.next() * (sequenceWidth - 100)
    const y1 = noise.next() * (sequenceHeight - 100)
    const score = 0.1 + noise.next() * 0.35
    const size = { x2: x1 + 30 + noise.next() * 70, y2: y1 + 30 + noise.next() * 70 }
    detections.push({ x1, y1, ...size, score, classIndex: noise.integer(classCount) })
  }
  return { atMs, truth, detections }
}

function clipped({ x1, y1, x2, y2 }: Box): Box | undefined {
  const box = {
    x1: Math.max(0, x1),
    y1: Math.max(0, y1),
    x2: Math.min(sequenceWidth, x2),
    y2: Math.min(sequenceHeight, y2),
  }
  return box.x2 - box.x1 > 4 && box.y2 - box.y1 > 4 ? box : undefined
}

/** Which share of `whole` is outside the picture or behind one of `hiding`, sampled on a grid. */
function hiddenShare(whole: Box, seen: Box, hiding: readonly Box[]): number {
  const grid = 12
  let hidden = 0
  for (let i = 0; i < grid; i++) {
    for (let j = 0; j < grid; j++) {
      const x = whole.x1 + ((i + 0.5) / grid) * (whole.x2 - whole.x1)
      const y = whole.y1 + ((j + 0.5) / grid) * (whole.y2 - whole.y1)
      const isIn = (box: Box): boolean => x >= box.x1 && x <= box.x2 && y >= box.y1 && y <= box.y2
      if (!isIn(seen) || hiding.some(isIn)) hidden++
    }
  }
  return hidden / (grid * grid)
}
