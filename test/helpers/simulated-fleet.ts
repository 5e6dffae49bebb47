/**
 * Devices that only talk: everything a dashboard hears of a fleet, written with the product's own encoders.
 * Invariant: the same seed says the same things; a simulated device never sends what a real one could not.
 */

import type { DeviceInfo } from '../../src/protocol/info.js'
import { encodeInfo } from '../../src/protocol/info.js'
import { type Deployment, type DeploymentState, encodeDeployment } from '../../src/protocol/deployment.js'
import { encodeMetrics } from '../../src/protocol/metrics.js'
import { encodeReport } from '../../src/protocol/report.js'
import { encodeReported } from '../../src/protocol/reported.js'
import type { Topics } from '../../src/protocol/topics.js'
import { type Random, seededRandom } from '../../src/base/random.js'
import type { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { SimulatedCamera } from './simulated-camera.js'

interface BoardKind {
  readonly board: string
  readonly chip: string
  readonly arch: string
  readonly cores: number
  readonly memoryGiB: number
  readonly provider: string
  readonly variant: string
  readonly latencyMs: number
  readonly temperatureC: number
}

const boardKinds: readonly BoardKind[] = [
  {
    board: 'Raspberry Pi 5 Model B Rev 1.0',
    chip: 'BCM2712',
    arch: 'arm64',
    cores: 4,
    memoryGiB: 8,
    provider: 'cpu',
    variant: 'int8-arm64',
    latencyMs: 74,
    temperatureC: 61,
  },
  {
    board: 'NVIDIA Jetson Orin Nano Developer Kit',
    chip: 'T234',
    arch: 'arm64',
    cores: 6,
    memoryGiB: 8,
    provider: 'tensorrt',
    variant: 'fp16',
    latencyMs: 9,
    temperatureC: 52,
  },
  {
    board: 'Raspberry Pi 4 Model B Rev 1.4',
    chip: 'BCM2711',
    arch: 'arm64',
    cores: 4,
    memoryGiB: 4,
    provider: 'cpu',
    variant: 'int8-pruned-arm64',
    latencyMs: 142,
    temperatureC: 66,
  },
  {
    board: 'Intel NUC 11',
    chip: 'Core i5-1135G7',
    arch: 'x64',
    cores: 8,
    memoryGiB: 16,
    provider: 'cpu',
    variant: 'int8-x64-vnni',
    latencyMs: 21,
    temperatureC: 48,
  },
]

const places = ['gate', 'dock', 'aisle', 'yard', 'press', 'belt', 'lobby', 'ramp']
const cameraNames = ['front', 'rear']
const gibibyte = 1024 ** 3

/** Numbers of one device that change from sample to sample. */
interface Course {
  sequence: number
  frames: number
  temperatureC: number
  latencyMs: number
}

/** One device that says what it is told to say. */
export class SimulatedDevice {
  readonly name: string
  readonly kind: BoardKind
  readonly cameras: readonly SimulatedCamera[]
  version = '1.4.0'
  readonly #connection: MqttConnection
  readonly #topics: Topics
  readonly #random: Random
  readonly #course: Course
  #deployments = 0

  constructor(connection: MqttConnection, topics: Topics, index: number, seed: number) {
    this.#connection = connection
    this.#topics = topics
    this.#random = seededRandom(seed * 7919 + index)
    this.kind = boardKinds[this.#random.integer(boardKinds.length)]!
    this.name = `${places[index % places.length]!}-${String(Math.floor(index / places.length) + 1).padStart(3, '0')}`
    const names = cameraNames.slice(0, 1 + this.#random.integer(2))
    this.cameras = names.map((name) => new SimulatedCamera(connection, topics, this, name))
    const latencyMs = this.kind.latencyMs * (0.9 + 0.2 * this.#random.next())
    const temperatureC = this.kind.temperatureC + 6 * this.#random.next()
    this.#course = { sequence: 0, frames: 0, temperatureC, latencyMs }
  }

  /** Everything that is retained: what a page hears first. */
  async introduce(): Promise<void> {
    await Promise.all([
      this.say('availability', Buffer.from('online'), true),
      this.say('info', encodeInfo(this.#info()), true),
      this.say('reported', encodeReported(this.#reported()), true),
    ])
  }

  setAvailability(state: 'online' | 'offline' | 'stopped'): Promise<void> {
    return this.say('availability', Buffer.from(state), true)
  }

  /** One sample of metrics, a window of `windowMs` after the last one. */
  async sampleMetrics(windowMs: number): Promise<void> {
    const course = this.#course
    const fps = Math.min(30, 900 / course.latencyMs)
    course.sequence++
    course.frames += Math.round((fps * windowMs) / 1000)
    course.temperatureC += 0.4 * this.#random.normal() - 0.05 * (course.temperatureC - this.kind.temperatureC)
    const p50 = course.latencyMs * (1 + 0.03 * this.#random.normal())
    const inference = this.#latency(p50, Math.round((fps * windowMs) / 1000))
    const metrics = encodeMetrics({
      at: new Date().toISOString(),
      sequence: course.sequence,
      windowMs,
      uptimeMs: course.sequence * windowMs,
      cpuPercent: Math.min(100, 35 + 30 * this.#random.next()),
      agentMemoryBytes: Math.round(180e6 + 20e6 * this.#random.next()),
      memoryUsedBytes: Math.round(this.kind.memoryGiB * gibibyte * 0.4),
      memoryTotalBytes: this.kind.memoryGiB * gibibyte,
      diskFreeBytes: 21e9,
      temperatureC: course.temperatureC,
      throttled: course.temperatureC > 82,
      outboxDepth: 0,
      outboxDropped: 0,
      publishesDropped: 0,
      reconnects: 0,
      cameras: this.cameras.map(({ name }) => ({
        name,
        captured: course.frames,
        processed: course.frames,
        dropped: 0,
        restarts: 0,
        errors: 0,
        capturedFps: fps,
        processedFps: fps,
        inference,
        endToEnd: this.#latency(p50 * 1.6, inference.count),
      })),
    })
    await this.say('metrics', metrics, false)
  }

  /** One step of a deployment of `version`. */
  async deployStep(
    version: string,
    state: DeploymentState,
    more: Partial<Pick<Deployment, 'progress' | 'error' | 'etaMs' | 'discarded'>> = {},
  ): Promise<void> {
    if (state === 'offered') this.#deployments++
    if (state === 'committed') this.version = version
    const deployment: Deployment = {
      at: new Date().toISOString(),
      id: `${this.name}-${this.#deployments}`,
      state,
      model: 'yolov8n',
      version,
      attempt: 1,
      ...(state !== 'offered' && state !== 'downloading' && { variant: this.kind.variant }),
      ...more,
    }
    await this.say('deployment', encodeDeployment(deployment), true)
    if (state === 'committed') await this.say('reported', encodeReported(this.#reported()), true)
  }

  /** A period report with accuracy and drift. */
  async report(map: number, scorePsi: number): Promise<void> {
    const report = encodeReport({
      at: new Date().toISOString(),
      id: `${this.name}-report-${this.#random.integer(1e9)}`,
      kind: 'period',
      model: 'yolov8n',
      version: this.version,
      variant: this.kind.variant,
      provider: this.kind.provider,
      periodMs: 3_600_000,
      frames: this.#course.frames,
      errors: 0,
      latency: this.#latency(this.#course.latencyMs, 1000),
      accuracy: { map, map50: Math.min(1, map * 1.38), images: 64, dataset: 'golden' },
      drift: { scorePsi, classPsi: scorePsi / 2, detectionsPerFrame: 4.2 },
    })
    await this.say('report', report, false)
  }

  /** Sends any bytes as one of its own states. */
  async say(kind: Parameters<Topics['deviceState']>[1], payload: Uint8Array, retain: boolean): Promise<void> {
    const qos = retain ? 1 : 0
    await this.#connection.publish(this.#topics.deviceState(this.name, kind), payload, { qos, retain })
  }

  #latency(p50Ms: number, count: number): Parameters<typeof encodeReport>[0]['latency'] & object {
    return {
      count,
      meanMs: p50Ms * 1.02,
      p50Ms,
      p95Ms: p50Ms * 1.15,
      p99Ms: p50Ms * 1.3,
      maxMs: p50Ms * 1.8,
    }
  }

  #info(): DeviceInfo {
    const { board, chip, arch, cores, memoryGiB, provider } = this.kind
    const now = new Date().toISOString()
    return {
      at: now,
      startedAt: now,
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
      cameras: this.cameras.map(({ name }) => name),
    }
  }

  #reported(): Parameters<typeof encodeReported>[0] {
    const { variant, provider, latencyMs } = this.kind
    const now = new Date().toISOString()
    return {
      at: now,
      active: {
        model: 'yolov8n',
        version: this.version,
        variant,
        sha256: '5'.repeat(64),
        provider,
        since: now,
        why: `best mAP (0.362) of 3 variants whose p95 of ${(latencyMs * 1.15).toFixed(0)} ms is below 200 ms`,
      },
    }
  }
}

/** Many simulated devices over one connection. */
export class SimulatedFleet {
  readonly devices: readonly SimulatedDevice[]
  #stop: (() => void) | undefined

  constructor(connection: MqttConnection, topics: Topics, count: number, seed = 1) {
    this.devices = Array.from(
      { length: count },
      (_, index) => new SimulatedDevice(connection, topics, index, seed),
    )
  }

  /** Publishes all retained state, a few hundred devices at a time. */
  async introduce(): Promise<void> {
    for (let first = 0; first < this.devices.length; first += 200)
      await Promise.all(this.devices.slice(first, first + 200).map((device) => device.introduce()))
  }

  /** Every device sends metrics each `periodMs`, evenly spread over the period. Until stop(). */
  startMetrics(periodMs: number): void {
    let sent = 0
    const startMs = performance.now()
    const timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startMs) / periodMs) * this.devices.length)
      for (; sent < due; sent++) void this.devices[sent % this.devices.length]!.sampleMetrics(periodMs)
    }, 10)
    this.#stop = () => {
      clearInterval(timer)
    }
  }

  stop(): void {
    this.#stop?.()
    for (const device of this.devices) for (const camera of device.cameras) camera.stop()
  }
}
