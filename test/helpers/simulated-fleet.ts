/**
 * Devices that only talk: everything a dashboard hears of a fleet, written with the product's own encoders.
 * Invariant: the same seed says the same things; a simulated device never sends what a real one could not.
 */

import { type BoardKind, boardKinds } from '../../src/cli/simulate/board-kinds.js'
import {
  type Course,
  latencyAround,
  nextMetrics,
  simulatedInfo,
  startOfCourse,
} from '../../src/cli/simulate/self-description.js'
import { type Deployment, type DeploymentState, encodeDeployment } from '../../src/protocol/deployment.js'
import { encodeReport } from '../../src/protocol/report.js'
import { encodeReported } from '../../src/protocol/reported.js'
import type { Topics } from '../../src/protocol/topics.js'
import { type Random, seededRandom } from '../../src/base/random.js'
import type { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { SimulatedCamera } from './simulated-camera.js'

const places = ['gate', 'dock', 'aisle', 'yard', 'press', 'belt', 'lobby', 'ramp']
const cameraNames = ['front', 'rear']
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
    this.#course = startOfCourse(this.kind, this.#random)
  }

  /** Everything that is retained: what a page hears first. */
  async introduce(): Promise<void> {
    await Promise.all([
      this.say('availability', Buffer.from('online'), true),
      this.say('info', this.#info(), true),
      this.say('reported', encodeReported(this.#reported()), true),
    ])
  }

  setAvailability(state: 'online' | 'offline' | 'stopped'): Promise<void> {
    return this.say('availability', Buffer.from(state), true)
  }

  /** One sample of metrics, a window of `windowMs` after the last one. */
  async sampleMetrics(windowMs: number): Promise<void> {
    const cameras = this.cameras.map(({ name }) => name)
    const at = new Date().toISOString()
    const metrics = nextMetrics(this.kind, this.#course, this.#random, { at, windowMs, cameras })
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
      latency: latencyAround(this.#course.latencyMs, 1000),
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

  #info(): Uint8Array {
    const cameras = this.cameras.map(({ name }) => name)
    return simulatedInfo(this.kind, new Date().toISOString(), cameras)
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
