/** Messages of a device, as tests of their readers need them. */

import type { FrameDetections } from '../../src/protocol/detections.js'
import type { Metrics } from '../../src/protocol/metrics.js'
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

/** Metrics with every field that there is. */
export const exampleMetrics: Metrics = {
  at: '2026-01-01T00:00:00.000Z',
  sequence: 6,
  windowMs: 10_000,
  uptimeMs: 60_000,
  cpuPercent: 42.5,
  agentMemoryBytes: 1e8,
  memoryUsedBytes: 2e8,
  memoryTotalBytes: 8e8,
  diskFreeBytes: 4e8,
  temperatureC: 61.5,
  throttled: true,
  eventLoopDelay: { p50Ms: 1, p99Ms: 2, maxMs: 3 },
  outboxDepth: 1,
  outboxDropped: 2,
  publishesDropped: 3,
  reconnects: 4,
  cameras: [
    {
      ...{ name: 'front', captured: 100, processed: 90, dropped: 10, restarts: 1, errors: 2 },
      ...{ capturedFps: 10, processedFps: 9.5 },
      inference: { count: 90, meanMs: 21, p50Ms: 20, p95Ms: 30, p99Ms: 32, maxMs: 40 },
      endToEnd: { count: 90, meanMs: 41, p50Ms: 40, p95Ms: 55, p99Ms: 56, maxMs: 60 },
    },
    {
      ...{ name: 'rear', captured: 160, processed: 160, dropped: 0, restarts: 0, errors: 0 },
      ...{ capturedFps: 16, processedFps: 16 },
      inference: { count: 160, meanMs: 19, p50Ms: 18, p95Ms: 33, p99Ms: 34, maxMs: 35 },
    },
  ],
}

/** The example without the named fields, which metrics may lack. */
export function metricsWithout(...names: readonly (keyof Metrics)[]): Metrics {
  const left = Object.entries(exampleMetrics).filter(([key]) => !names.includes(key as keyof Metrics))
  return Object.fromEntries(left) as unknown as Metrics
}
