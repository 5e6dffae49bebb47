/**
 * Speed of models side by side: the whole job, from a frame in shared memory to boxes.
 * Invariant: models take turns in every round, in an order that rotates, so that heat, other programs and caches hit all of
 * them alike; a ratio is taken within a round.
 */

import type { Clock } from '../../base/clock.js'
import { type Detector, openDetector } from '../../runtime/detector.js'
import type { SessionOptions } from '../../runtime/session-options.js'
import { type DetectionOptions, predictionOptions } from '../../yolo/detection.js'
import type { Letterbox } from '../../yolo/letterbox.js'
import type { MeasuredModel } from './measure-accuracy.js'

export interface SpeedFrame {
  readonly pixels: SharedArrayBuffer
  readonly byteOffset: number
  readonly letterbox: Letterbox
}

export interface SpeedOptions {
  readonly rounds: number
  /** Sessions of one model that work at the same time. */
  readonly sessions: number
  /** Frames of each session in one turn. */
  readonly framesPerTurn: number
  readonly session: SessionOptions
  /** Frames of the model's input size that take turns; at least one. */
  framesOf(model: MeasuredModel): Promise<readonly SpeedFrame[]>
  onProgress(done: number, total: number): void
  readonly clock: Clock
}

/** Times in milliseconds; one entry a round. */
export interface SpeedMeasurement {
  /** Time of a turn divided by its frames: with several sessions the inverse of the throughput. */
  readonly perFrameMs: readonly number[]
  /** Of each single frame. */
  readonly latencyMs: readonly number[]
  /** `perFrameMs` of the first model in the same round divided by this one's: above 1 is faster than the first. */
  readonly ratios: readonly number[]
}

interface Lane {
  readonly detectors: readonly Detector[]
  readonly frames: readonly SpeedFrame[]
  readonly perFrameMs: number[]
  readonly latencyMs: number[]
}

/** Measures `models`; the first is what the others are compared with. */
export async function measureSpeed(
  models: readonly MeasuredModel[],
  options: SpeedOptions,
): Promise<readonly SpeedMeasurement[]> {
  const lanes: Lane[] = []
  try {
    for (const model of models) lanes.push(await openLane(model, options))
    for (const lane of lanes) await runTurn(lane, options, 'warm-up')
    for (let round = 0; round < options.rounds; round++) {
      for (let turn = 0; turn < lanes.length; turn++) {
        await runTurn(lanes[(round + turn) % lanes.length]!, options, round)
      }
      options.onProgress(round + 1, options.rounds)
    }
  } finally {
    for (const { detectors } of lanes) for (const detector of detectors) await detector.close()
  }
  const first = lanes[0]!.perFrameMs
  return lanes.map(({ perFrameMs, latencyMs }) => ({
    perFrameMs,
    latencyMs,
    ratios: perFrameMs.map((ms, round) => first[round]! / ms),
  }))
}

async function openLane(model: MeasuredModel, options: SpeedOptions): Promise<Lane> {
  const frames = await options.framesOf(model)
  const detectors: Detector[] = []
  try {
    for (let count = 0; count < options.sessions; count++)
      detectors.push(await openDetector(model, { niceness: 0, ...options.session }))
  } catch (thrown) {
    for (const detector of detectors) await detector.close()
    throw thrown
  }
  return { detectors, frames, perFrameMs: [], latencyMs: [] }
}

const detection: DetectionOptions = predictionOptions

async function runTurn(
  lane: Lane,
  { framesPerTurn, clock }: SpeedOptions,
  round: number | 'warm-up',
): Promise<void> {
  const latencies: number[] = []
  // In one round all models see the same frames.
  const first = round === 'warm-up' ? 0 : round * framesPerTurn
  const startMs = clock.monotonicMs()
  await Promise.all(
    lane.detectors.map(async (detector) => {
      for (let frame = 0; frame < framesPerTurn; frame++) {
        const beforeMs = clock.monotonicMs()
        await detector.detect(lane.frames[(first + frame) % lane.frames.length]!, detection)
        latencies.push(clock.monotonicMs() - beforeMs)
      }
    }),
  )
  const turnMs = clock.monotonicMs() - startMs
  if (round === 'warm-up') return
  lane.latencyMs.push(...latencies)
  lane.perFrameMs.push(turnMs / (framesPerTurn * lane.detectors.length))
}
