/**
 * A small fleet around one broker: keys, models, the product's commands as processes, agents, an observer.
 * Invariant: everything that was started ends with the lab.
 */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { silentLogger } from '../../src/base/logger.js'
import { type Deployment, parseDeployment } from '../../src/protocol/deployment.js'
import { parseReported, type Reported } from '../../src/protocol/reported.js'
import { type Topics, topicsBelow } from '../../src/protocol/topics.js'
import { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { projectRoot } from '../helpers/paths.js'
import { type RunningCommand, startCommand, type Teardowns } from '../helpers/processes.js'

/** What a command said. */
export interface CommandResult {
  readonly status: number | NodeJS.Signals
  readonly stdout: string
  readonly stderr: string
}

const stepLimitMs = 120_000

export class Lab implements Teardowns {
  readonly folder: string
  readonly urls: readonly string[]
  readonly topics: Topics = topicsBelow('yolo-edge/v2')
  readonly #ends: (() => unknown)[] = []
  #observer: MqttConnection | undefined

  constructor(folder: string, urls: readonly string[]) {
    this.folder = folder
    this.urls = urls
    mkdirSync(join(folder, 'keys'), { recursive: true })
  }

  /** A model file of the project. */
  model(name: string): string {
    return join(projectRoot, 'models', 'parts', `${name}.onnx`)
  }

  get key(): string {
    return join(this.folder, 'keys', 'fleet.key')
  }

  teardown(end: () => unknown): void {
    this.#ends.push(end)
  }

  /** Makes the keys and connects the observer. */
  async open(): Promise<void> {
    await this.command(['keygen', join(this.folder, 'keys', 'fleet')], false)
    this.#observer = await this.connect('observer')
  }

  /** What looks at the broker from outside. */
  get observer(): MqttConnection {
    if (this.#observer === undefined) throw new Error('the lab is not open')
    return this.#observer
  }

  /** A connection to a node, closed with the lab. */
  async connect(clientId: string, node = 0): Promise<MqttConnection> {
    const connection = new MqttConnection(
      { url: this.urls[node]!, clientId, backoff: { firstMs: 100, capMs: 1000 } },
      { logger: silentLogger },
    )
    this.teardown(() => connection.stop())
    await connection.start()
    await connection.requireOnline(30_000)
    return connection
  }

  /** Runs a command of the product to its end; with the broker's addresses unless told otherwise. */
  async command(args: readonly string[], hasBroker = true): Promise<CommandResult> {
    const there = hasBroker ? this.brokerSettings() : []
    const running = startCommand(this, [...args, ...there])
    const status = await running.ended
    return { status, stdout: running.stdout(), stderr: running.stderr() }
  }

  /** Like {@link command}; throws what the command said unless it succeeded, and returns its JSON. */
  async ask(args: readonly string[]): Promise<Record<string, unknown>> {
    const { status, stdout, stderr } = await this.command([...args, '--json'])
    if (status !== 0) throw new Error(lastLine(stderr))
    return JSON.parse(stdout) as Record<string, unknown>
  }

  start(args: readonly string[]): RunningCommand {
    return startCommand(this, [...args, ...this.brokerSettings()])
  }

  brokerSettings(urls: readonly string[] = this.urls): readonly string[] {
    return ['--set', urls.length === 1 ? `broker.url=${urls[0]!}` : `broker.urls=${urls.join(',')}`]
  }

  /** Starts an agent with a state folder of its own. */
  agent(device: string, urls: readonly string[] = this.urls): RunningCommand {
    const settings = [
      `device.id=${device}`,
      `state.directory=${join(this.folder, device)}`,
      `security.trusted_keys=${join(this.folder, 'keys')}`,
      'selection.trial_runs=5',
      'acceptance.soak_s=1',
      'acceptance.latency_factor_max=100',
      'acceptance.active_latency_factor_max=1000',
      'inference.threads=1',
      'cameras=front=synthetic#fps=5',
    ]
    return startCommand(this, [
      'run',
      ...settings.flatMap((setting) => ['--set', setting]),
      ...this.brokerSettings(urls),
    ])
  }

  /** Hears what a device says from now on. */
  listenTo(device: string): HeardDevice {
    const heard: HeardDevice = { availability: undefined, reported: undefined, deployments: [], frames: 0 }
    const { observer, topics } = this
    observer.subscribe([topics.deviceState(device, 'availability')], 1, ({ payload }) => {
      heard.availability = Buffer.from(payload).toString()
    })
    observer.subscribe([topics.deviceState(device, 'reported')], 1, ({ payload }) => {
      if (payload.byteLength > 0) heard.reported = parseReported(payload)
    })
    observer.subscribe([topics.deviceState(device, 'deployment')], 1, ({ payload }) => {
      if (payload.byteLength > 0) heard.deployments.push(parseDeployment(payload))
    })
    observer.subscribe([topics.detections(device, 'front')], 0, () => {
      heard.frames++
    })
    return heard
  }

  async close(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end()
  }
}

/** What was heard of one device. */
export interface HeardDevice {
  availability: string | undefined
  reported: Reported | undefined
  readonly deployments: Deployment[]
  frames: number
}

/** Resolves when `condition` holds; rejects with `what` when it does not come true in time. */
export async function eventually(
  what: string,
  condition: () => boolean,
  limitMs: number = stepLimitMs,
): Promise<void> {
  const deadlineMs = performance.now() + limitMs
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${limitMs / 1000} s`)
    await delay(50)
  }
}

/** The last line that says something. */
export function lastLine(text: string): string {
  return (
    text
      .trim()
      .split('\n')
      .findLast((line) => line !== '' && !line.startsWith('hint:')) ?? ''
  )
}
