/** What a simulated device says about its board and its work. Invariant: written with the product's own encoders. */

import type { Random } from '../../base/random.js'
import { type DeviceInfo, encodeInfo } from '../../protocol/info.js'
import { encodeMetrics, type Metrics } from '../../protocol/metrics.js'
import type { BoardKind } from './board-kinds.js'

const gibibyte = 1024 ** 3

/** The info of a device that started at the moment `at`, with cameras of these names. */
export function simulatedInfo(kind: BoardKind, at: string, cameras: readonly string[]): Uint8Array {
  const { board, chip, arch, cores, memoryGiB, provider } = kind
  const info: DeviceInfo = {
    at,
    startedAt: at,
    agentVersion: '0.1.0',
    nodeVersion: '20.20.2',
    onnxruntimeVersion: '1.30.0',
    os: 'Debian GNU/Linux 12 (bookworm)',
    board,
    chip,
    arch,
    cpuModel: chip,
    cpuCores: cores,
    cpuFeatures: arch === 'x64' ? ['avx2', 'avx512_vnni'] : ['asimd', 'asimddp'],
    memoryBytes: memoryGiB * gibibyte,
    accelerators: provider === 'tensorrt' ? [{ kind: 'gpu', name: 'Ampere, 1024 cores' }] : [],
    providers: [
      { name: 'cpu', works: true },
      provider === 'tensorrt'
        ? { name: 'tensorrt', works: true }
        : { name: 'cuda', works: false, reason: 'libcudart.so.12 is not installed' },
    ],
    cameras,
  }
  return encodeInfo(info)
}

/** Numbers of one device that change from sample to sample. */
export interface Course {
  sequence: number
  frames: number
  temperatureC: number
  /** Median inference time, milliseconds. */
  readonly latencyMs: number
}

/** Where the course of one device begins: somewhat faster or slower than its kind. */
export function startOfCourse(kind: BoardKind, random: Random): Course {
  return {
    sequence: 0,
    frames: 0,
    latencyMs: kind.latencyMs * (0.9 + 0.2 * random.next()),
    temperatureC: kind.temperatureC + 6 * random.next(),
  }
}

/** The next sample of metrics, a window of `windowMs` after the last one; moves `course` on. */
export function nextMetrics(
  kind: BoardKind,
  course: Course,
  random: Random,
  {
    at,
    windowMs,
    cameras,
  }: { readonly at: string; readonly windowMs: number; readonly cameras: readonly string[] },
): Uint8Array {
  const fps = Math.min(30, 900 / course.latencyMs)
  const frames = Math.round((fps * windowMs) / 1000)
  course.sequence++
  course.frames += frames
  course.temperatureC += 0.4 * random.normal() - 0.05 * (course.temperatureC - kind.temperatureC)
  const p50Ms = course.latencyMs * (1 + 0.03 * random.normal())
  return encodeMetrics({
    at,
    sequence: course.sequence,
    windowMs,
    uptimeMs: course.sequence * windowMs,
    cpuPercent: Math.min(100, 35 + 30 * random.next()),
    agentMemoryBytes: Math.round(180e6 + 20e6 * random.next()),
    memoryUsedBytes: Math.round(kind.memoryGiB * gibibyte * 0.4),
    memoryTotalBytes: kind.memoryGiB * gibibyte,
    diskFreeBytes: 21e9,
    temperatureC: course.temperatureC,
    throttled: course.temperatureC > 82,
    outboxDepth: 0,
    outboxDropped: 0,
    publishesDropped: 0,
    reconnects: 0,
    cameras: cameras.map((name) => ({
      name,
      captured: course.frames,
      processed: course.frames,
      dropped: 0,
      restarts: 0,
      errors: 0,
      capturedFps: fps,
      processedFps: fps,
      inference: latencyAround(p50Ms, frames),
      endToEnd: latencyAround(p50Ms * 1.6, frames),
    })),
  })
}

/** Latency figures of `count` frames whose median is `p50Ms`. */
export function latencyAround(
  p50Ms: number,
  count: number,
): NonNullable<Metrics['cameras'][number]['inference']> {
  return {
    count,
    meanMs: p50Ms * 1.02,
    p50Ms,
    p95Ms: p50Ms * 1.15,
    p99Ms: p50Ms * 1.3,
    maxMs: p50Ms * 1.8,
  }
}
