/** Messages of a device, as tests of their readers need them. */

import type { FrameDetections } from '../../src/protocol/detections.js'
import type { Reported } from '../../src/protocol/reported.js'

/** A frame with detections of the given classes and scores; boxes are alike. */
export function exampleFrame(found: readonly { classIndex: number; score: number }[]): FrameDetections {
  return {
    frameId: 1,
    capturedAtMs: 1_700_000_000_000,
    model: 'yolov8n',
    version: '1.0.0',
    variant: 'fp32',
    width: 640,
    height: 480,
    detections: found.map((item) => ({ ...item, x1: 10, y1: 20, x2: 30, y2: 60 })),
    latency: { preprocessMs: 1, inferenceMs: 40, decodeMs: 0.5, totalMs: 60 },
  }
}

export const exampleReported: Reported = {
  at: '2026-01-01T00:00:00.000Z',
  active: {
    model: 'yolov8n',
    version: '1.0.0',
    variant: 'fp32',
    sha256: '0'.repeat(64),
    provider: 'cpu',
    since: '2026-01-01T00:00:00.000Z',
  },
}
