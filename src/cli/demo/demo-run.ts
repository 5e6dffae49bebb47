/**
 * The whole loop on one machine: an embedded broker, a publisher and an agent, watched from outside over MQTT.
 * Invariant: the same code as in a fleet, everything below one temporary folder that is gone afterwards.
 */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Agent, startAgent } from '../../agent/agent.js'
import { systemClock } from '../../base/clock.js'
import { AgentError, type ErrorCode, errorTable } from '../../base/errors.js'
import { type Logger, silentLogger } from '../../base/logger.js'
import type { Config } from '../../config/config.js'
import { loadConfig } from '../../config/load.js'
import { PageServer } from '../../dashboard/page-server.js'
import { type Deployment, parseDeployment } from '../../protocol/deployment.js'
import { parseDetections } from '../../protocol/detections.js'
import { generateKeys, parseSigningKey, type SigningKey } from '../../protocol/keys.js'
import { parseReported } from '../../protocol/reported.js'
import { type Topics, topicsBelow } from '../../protocol/topics.js'
import { EmbeddedBroker } from '../../transport/embedded-broker.js'
import { MqttConnection } from '../../transport/mqtt-connection.js'
import { publishBundle } from '../../transport/publish-bundle.js'
import { bundleFrom } from '../bundle/published-bundle.js'
import { packageVersion } from '../package-version.js'
import { sendWish, wishFor } from '../fleet/wish.js'
import { Tally, type TruthOf } from './tally.js'

export interface DemoOptions {
  readonly models: readonly string[]
  readonly source: string
  /** A labelled data set that goes out with the models, for the device to measure them on. */
  readonly golden?: string
  /** What the pictures of the source really show, where it is known. */
  readonly truthOf?: TruthOf
  readonly durationMs: number
  /** Goes on after its time while a page of the dashboard is open. */
  readonly staysWhileWatched?: boolean
  /** Port of the dashboard, 0 for a free one. */
  readonly dashboardPort: number
  readonly settings: ReadonlyMap<string, unknown>
  readonly logger?: Logger
  /** Called once the dashboard is served. */
  onDashboard(url: string): void
  /** Called a few times a second. */
  onTick(tally: Tally, elapsedMs: number): void
  readonly signal: AbortSignal
}

const device = 'demo-device'
const channel = 'demo'
const camera = 'demo'
const tickMs = 200
/** Without a sign of progress before the first frame; opening a model on the smallest board gives none. */
const standstillMs = 180_000

/** Runs the demo until its time is over, its source ends, or `signal` aborts. Rejects with what kept a model from running. */
export async function runDemo(options: DemoOptions): Promise<Tally> {
  const folder = await mkdtemp(join(tmpdir(), 'yolo-edge-demo-'))
  const broker = new EmbeddedBroker({ webSocketPort: 0 })
  const open: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })]
  try {
    await broker.start()
    open.push(() => broker.stop())
    const keys = await makeKeys(folder)
    const config = configFor(folder, broker.url, options)
    const topics = topicsBelow(config.broker.topicRoot)
    const page = new PageServer({
      port: options.dashboardPort,
      brokerUrl: broker.webSocketUrl,
      topicRoot: topics.root,
    })
    await page.start()
    open.push(() => page.stop())
    options.onDashboard(page.url)
    const viewer = await connect(broker.url, 'demo-viewer')
    open.push(() => viewer.stop())
    const classNames = await publish(viewer, topics, options, keys)
    const ended = new AbortController()
    const agent = await startAgent(config, {
      logger: options.logger ?? silentLogger,
      version: packageVersion(),
      onCamerasEnded: () => {
        ended.abort()
      },
    })
    open.push(() => agent.stop())
    const tally = new Tally(classNames, options.truthOf)
    const closeEars = await listen(viewer, topics, tally)
    const isWatched = (): boolean => options.staysWhileWatched === true && broker.webSocketCount > 0
    await watch({ tally, agent, sourceEnded: ended.signal, isWatched }, options)
    await closeEars()
    return tally
  } finally {
    for (const close of open.reverse()) await close()
  }
}

async function makeKeys(folder: string): Promise<readonly SigningKey[]> {
  const { privatePem, publicPem } = generateKeys()
  await mkdir(join(folder, 'keys'))
  await writeFile(join(folder, 'keys', 'demo.pub'), publicPem)
  return [parseSigningKey(privatePem)]
}

function configFor(folder: string, url: string, options: DemoOptions): Config {
  const overrides = new Map<string, unknown>([
    ['device.id', device],
    ['device.channel', channel],
    ['broker.url', url],
    ['broker.protocol_version', 4],
    ['acceptance.soak_s', 5],
    ['acceptance.soak_window_s', 5],
    ['state.directory', join(folder, 'state')],
    ['security.trusted_keys', join(folder, 'keys')],
    ['telemetry.metrics_period_s', 1],
    ['cameras', [{ name: camera, source: options.source }]],
    ...options.settings,
  ])
  return loadConfig({ env: {}, overrides })
}

async function connect(url: string, clientId: string): Promise<MqttConnection> {
  const connection = new MqttConnection({ url, clientId, protocol: 4 }, { logger: silentLogger })
  await connection.start()
  await connection.requireOnline(10_000)
  return connection
}

async function publish(
  connection: MqttConnection,
  topics: Topics,
  { models, golden }: DemoOptions,
  keys: readonly SigningKey[],
): Promise<readonly string[]> {
  const nowMs = systemClock.wallMs()
  // The pictures are the demo's own: nothing of them is news.
  const reading = { note: () => undefined }
  const wishes = golden === undefined ? {} : { golden: { path: golden, reading } }
  const bundle = await bundleFrom(models, wishes, keys, nowMs)
  await publishBundle(connection, topics, bundle)
  const target = { kind: 'channel', name: channel } as const
  await sendWish({ connection, topics }, wishFor(bundle.manifest, target, nowMs), keys)
  return bundle.manifest.classNames
}

/** Hears what the agent says, until the returned function is called. */
async function listen(
  connection: MqttConnection,
  topics: Topics,
  tally: Tally,
): Promise<() => Promise<void>> {
  const reported = topics.deviceState(device, 'reported')
  const deployment = topics.deviceState(device, 'deployment')
  const detections = topics.detections(device, camera)
  const subscription = connection.subscribe([reported, deployment, detections], 1, ({ topic, payload }) => {
    if (topic === reported) tally.addReported(parseReported(payload))
    else if (topic === deployment) tally.addDeployment(parseDeployment(payload))
    else tally.addFrame(parseDetections(payload), systemClock.monotonicMs())
  })
  await subscription.outcome
  return () => subscription.close()
}

interface Watched {
  readonly tally: Tally
  readonly agent: Agent
  readonly sourceEnded: AbortSignal
  /** Whether somebody looks and may not be left in the dark. */
  readonly isWatched: () => boolean
}

/** Waits for the end: of the time, of the source, or of the patience. */
async function watch({ tally, agent, sourceEnded, isWatched }: Watched, options: DemoOptions): Promise<void> {
  let progressMs = systemClock.monotonicMs()
  let known: Deployment | undefined
  let firstFrameMs: number | undefined
  for (;;) {
    await systemClock.sleep(tickMs)
    const nowMs = systemClock.monotonicMs()
    if (tally.frames > 0) firstFrameMs ??= nowMs
    options.onTick(tally, nowMs - (firstFrameMs ?? nowMs))
    requireProgress(tally.deployment)
    if (options.signal.aborted || sourceEnded.aborted) break
    if (firstFrameMs !== undefined && nowMs - firstFrameMs >= options.durationMs && !isWatched()) break
    if (tally.deployment !== known) progressMs = nowMs
    known = tally.deployment
    if (firstFrameMs === undefined && nowMs - progressMs > standstillMs) {
      const problem = `no frame from ${options.source}, and no progress for ${standstillMs / 1000} s in state ${agent.deploymentState}`
      throw new AgentError('camera.open_failed', problem)
    }
  }
}

/** Throws the reason of a deployment that was refused or rolled back. */
function requireProgress(deployment: Deployment | undefined): void {
  if (deployment?.error === undefined) return
  const { code, message } = deployment.error
  if (deployment.state !== 'refused' && deployment.state !== 'rollingBack' && deployment.state !== 'idle')
    return
  throw new AgentError(
    Object.hasOwn(errorTable, code) ? (code as ErrorCode) : 'inference.load_failed',
    message,
  )
}
