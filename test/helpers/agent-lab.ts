/**
 * A broker, a publisher and an agent in this process, below one temporary folder, observed over MQTT.
 * Invariant: the same code as in a fleet; `stop` ends everything that was started, in reverse order.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Agent, startAgent } from '../../src/agent/agent.js'
import { systemClock } from '../../src/base/clock.js'
import { type Logger, silentLogger } from '../../src/base/logger.js'
import { bundleFrom } from '../../src/cli/bundle/published-bundle.js'
import { sendWish, wishFor, type WishTerms } from '../../src/cli/fleet/wish.js'
import { loadConfig } from '../../src/config/load.js'
import { type Deployment, parseDeployment } from '../../src/protocol/deployment.js'
import { type FrameDetections, parseDetections } from '../../src/protocol/detections.js'
import { generateKeys, parseSigningKey, type SigningKey } from '../../src/protocol/keys.js'
import { parseReported, type Reported } from '../../src/protocol/reported.js'
import type { Manifest } from '../../src/protocol/manifest.js'
import { defaultRoot, topicsBelow } from '../../src/protocol/topics.js'
import { EmbeddedBroker } from '../../src/transport/embedded-broker.js'
import { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { publishBundle } from '../../src/transport/publish-bundle.js'
import { projectRoot } from './paths.js'

export const labDevice = 'lab-device'
const channel = 'lab'
const cameraName = 'front'
const model = 'parts'

/** The smallest model of the project. */
export const labModel = join(projectRoot, 'models', 'parts', 'parts-pruned-int8.onnx')

export interface LabOptions {
  /** A broker of its own; one in this process unless given. */
  readonly brokerUrl?: string
  readonly source?: string
  /** Settings on top of those of the lab, by their names. */
  readonly settings?: Readonly<Record<string, unknown>>
  readonly logger?: Logger
}

/** What the device has said and sent. */
export interface Observed {
  reported: Reported | undefined
  /** Every reported state, the newest last; at most 200. */
  readonly reports: Reported[]
  deployment: Deployment | undefined
  readonly deployments: Deployment[]
  frames: number
  /** What was found in the newest frame that was sent. */
  detections: FrameDetections | undefined
}

const keptMax = 200

export class AgentLab {
  readonly folder = mkdtempSync(join(tmpdir(), 'agent-lab-'))
  readonly topics = topicsBelow(defaultRoot)
  readonly observed: Observed = {
    reported: undefined,
    reports: [],
    deployment: undefined,
    deployments: [],
    frames: 0,
    detections: undefined,
  }
  readonly broker: EmbeddedBroker | undefined
  readonly channel = channel
  readonly #options: LabOptions
  #viewer: MqttConnection | undefined
  #key: SigningKey | undefined
  #agent: Agent | undefined
  #sequence = 0

  private constructor(options: LabOptions) {
    this.#options = options
    this.broker = options.brokerUrl === undefined ? new EmbeddedBroker() : undefined
  }

  static async start(options: LabOptions = {}): Promise<AgentLab> {
    const lab = new AgentLab(options)
    await lab.broker?.start()
    const { privatePem, publicPem } = generateKeys()
    mkdirSync(join(lab.folder, 'keys'))
    writeFileSync(join(lab.folder, 'keys', 'lab.pub'), publicPem)
    lab.#key = parseSigningKey(privatePem)
    lab.#viewer = await connect(lab.brokerUrl, 'lab-viewer')
    lab.#listen(lab.#viewer)
    return lab
  }

  get brokerUrl(): string {
    return this.#options.brokerUrl ?? this.broker!.url
  }

  get viewer(): MqttConnection {
    return this.#viewer!
  }

  get agent(): Agent | undefined {
    return this.#agent
  }

  /** Where the device keeps its state. */
  get stateFolder(): string {
    return join(this.folder, 'state')
  }

  /** The settings of the device, by their names. */
  get settings(): ReadonlyMap<string, unknown> {
    const { source = 'synthetic', settings = {} } = this.#options
    return new Map<string, unknown>([
      ['device.id', labDevice],
      ['device.channel', channel],
      ['broker.url', this.brokerUrl],
      ['acceptance.soak_s', 1],
      ['acceptance.soak_window_s', 1],
      ['acceptance.agreement_min', 0],
      ['acceptance.latency_factor_max', 100],
      ['acceptance.active_latency_factor_max', 1000],
      ['selection.trial_runs', 5],
      ['telemetry.metrics_period_s', 1],
      ['inference.threads', 1],
      ['state.directory', this.stateFolder],
      ['security.trusted_keys', join(this.folder, 'keys')],
      ['cameras', [{ name: cameraName, source }]],
      ...Object.entries(settings),
    ])
  }

  /** The arguments of `yolo-edge` that start the device as a process of its own. */
  get runArguments(): readonly string[] {
    const settings = [...this.settings].filter(([name]) => name !== 'cameras')
    const camera = `cameras=${cameraName}=${this.#options.source ?? 'synthetic'}`
    const all = [...settings.map(([name, value]) => `${name}=${String(value)}`), camera]
    return ['run', ...all.flatMap((setting) => ['--set', setting])]
  }

  async startAgent(): Promise<Agent> {
    const config = loadConfig({ env: {}, overrides: this.settings })
    const { logger = silentLogger } = this.#options
    this.#agent = await startAgent(config, { logger, version: '0.0.0' })
    return this.#agent
  }

  async stopAgent(): Promise<void> {
    await this.#agent?.stop()
    this.#agent = undefined
  }

  /** Puts `paths` on the broker as `version`; later calls have higher sequences. */
  async publish(version: string, paths: readonly string[] = [labModel]): Promise<Manifest> {
    const wishes = { name: model, version, sequence: ++this.#sequence }
    const bundle = await bundleFrom(paths, wishes, [this.#key!], systemClock.wallMs())
    await publishBundle(this.viewer, this.topics, bundle, { reading: { quietMs: 50 } })
    return bundle.manifest
  }

  /** Tells the device to run `version`. */
  async wish(version: string, terms: WishTerms = {}): Promise<void> {
    const wish = wishFor({ model, version }, { kind: 'channel', name: channel }, systemClock.wallMs(), terms)
    await sendWish({ connection: this.viewer, topics: this.topics }, wish, [this.#key!])
  }

  /** Waits until the device reports that it serves `version` and nothing is under way. */
  async untilServing(version: string, limitMs = 60_000): Promise<void> {
    await this.until(
      `${version} serves`,
      ({ reported, deployment }) => reported?.active?.version === version && deployment?.state === 'idle',
      limitMs,
    )
  }

  async until(what: string, condition: (observed: Observed) => boolean, limitMs = 60_000): Promise<void> {
    const endMs = systemClock.monotonicMs() + limitMs
    while (!condition(this.observed)) {
      if (systemClock.monotonicMs() > endMs) {
        const { reported, deployment } = this.observed
        throw new Error(
          `${what}: not within ${limitMs / 1000} s; said last: ${JSON.stringify({ reported, deployment })}`,
        )
      }
      await systemClock.sleep(20)
    }
  }

  async stop(): Promise<void> {
    await this.stopAgent()
    await this.#viewer?.stop()
    await this.broker?.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }

  #listen(viewer: MqttConnection): void {
    const { observed, topics } = this
    const [reported, deployment] = (['reported', 'deployment'] as const).map((kind) =>
      topics.deviceState(labDevice, kind),
    )
    viewer.subscribe([reported!], 1, ({ payload }) => {
      observed.reported = parseReported(payload)
      keep(observed.reports, observed.reported)
    })
    viewer.subscribe([deployment!], 1, ({ payload }) => {
      observed.deployment = parseDeployment(payload)
      keep(observed.deployments, observed.deployment)
    })
    viewer.subscribe([topics.detections(labDevice, cameraName)], 0, ({ payload }) => {
      observed.detections = parseDetections(payload)
      observed.frames++
    })
  }
}

function keep<T>(list: T[], value: T): void {
  list.push(value)
  if (list.length > keptMax) list.shift()
}

async function connect(url: string, clientId: string): Promise<MqttConnection> {
  const connection = new MqttConnection({ url, clientId }, { logger: silentLogger })
  await connection.start()
  await connection.requireOnline(10_000)
  return connection
}
