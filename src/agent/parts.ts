/**
 * What the services of the agent share: opened once, wired, not yet started.
 * Invariant: opening touches only this device; a broker or a camera that is away is found out later.
 */

import { randomInt } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import { seededRandom } from '../base/random.js'
import type { Config } from '../config/config.js'
import { detectHardware } from '../hardware/detect-hardware.js'
import type { HardwareProfile } from '../hardware/hardware-profile.js'
import type { FrameTap, ResultSink } from '../pipeline/ports.js'
import type { ProviderInfo } from '../protocol/info.js'
import { clientIdOf, type Topics, topicsBelow } from '../protocol/topics.js'
import { openStore, type Store } from '../store/store.js'
import { defaultNiceness } from '../runtime/session-options.js'
import { PrometheusFigures } from '../telemetry/prometheus-figures.js'
import { Telemetry } from '../telemetry/telemetry.js'
import { MqttConnection } from '../transport/mqtt-connection.js'
import type { Restoring } from '../update/ports.js'
import { Updater } from '../update/updater.js'
import { connectionOptionsOf } from './broker-connection.js'
import { DeviceStatus, type DeviceStatusPorts } from './reporting/device-status.js'
import { probeProviders } from './probe/probe-providers.js'
import { probeRunners, workingRunners } from './probe/probe-runners.js'
import { chosenInference } from './runtimes/installed-runtimes.js'
import { ReportOutbox } from './reporting/report-outbox.js'
import { type TelemetryParts, telemetryPortsOf } from './reporting/telemetry-ports.js'
import { RetainedTopics } from './reporting/retained-topics.js'
import { openScenes } from './scenes/open-scenes.js'
import type { Scenes } from './scenes/scenes.js'
import { CameraHost } from './serving/camera-host.js'
import { detectionsSink } from './serving/detections-sink.js'
import { Engines } from './serving/engines.js'
import { libraryOptionsOf, openServedModel, type ServingMeans } from './serving/open-served-model.js'
import { LoadWatch } from './serving/load-watch.js'
import { Previews } from './serving/previews.js'
import { FrameComparison } from './serving/frame-comparison.js'
import { ServingWatch } from './serving/serving-watch.js'
import type { ProvenRunner } from './trial/device-profile.js'
import { servedAccuracy } from './trial/trials.js'

export interface AgentOptions {
  readonly logger: Logger
  /** Of this program. */
  readonly version: string
  /** Called when every camera has come to its end: files that do not start again. */
  readonly onCamerasEnded?: () => void
}

/** Of work that must not cost the serving model anything. */
const lastNiceness = 19
/** Kept free on the disk for everybody else. */
const diskReserveBytes = 64 * 1024 * 1024

/** What the services share. */
export interface Parts {
  readonly device: string
  readonly topics: Topics
  readonly hardware: HardwareProfile
  readonly providers: readonly ProviderInfo[]
  /** The configuration's, with the execution providers that work. */
  readonly inference: Config['inference']
  readonly engines: Engines
  readonly runners: readonly ProvenRunner[]
  readonly store: Store
  readonly connection: MqttConnection
  readonly status: DeviceStatus
  readonly outbox: ReportOutbox
  readonly cameras: CameraHost
  readonly previews: Previews
  readonly scenes: Scenes
  /** Of topics that depend on the settings. */
  readonly retained: RetainedTopics
  readonly watch: ServingWatch
  readonly telemetry: Telemetry
  /** For Prometheus; undefined unless the settings ask for them. */
  readonly figures: PrometheusFigures | undefined
  /** Present once started. */
  updater: Updater | undefined
  /** What should serve and cannot be proven right. */
  restoring: Restoring | undefined
}

const clock = systemClock

/** Tries what the settings name; what does not work is logged and left out. */
async function probeSoftware(
  config: Config,
  logger: Logger,
): Promise<Pick<Parts, 'providers' | 'runners' | 'inference'>> {
  const inference = await chosenInference(config)
  const tried = await probeProviders(inference.providers, libraryOptionsOf(inference))
  // What an own library does not have, and nobody asked for by name, is no news.
  const isNews = ({ name }: ProviderInfo): boolean =>
    config.inference.library === '' || config.inference.providers.includes(name)
  const providers = tried.filter((one) => one.works || isNews(one))
  for (const { name, works, reason } of providers)
    if (!works) logger.warn({ provider: name, reason }, 'execution provider does not work here')
  const runners = await probeRunners(inference.runners)
  for (const runner of runners)
    if (!runner.works) logger.warn({ kind: runner.kind, reason: runner.reason }, 'runner does not work here')
  return {
    providers,
    runners: workingRunners(runners),
    inference: { ...inference, providers: workingOf(providers) },
  }
}

async function openDeviceStore({ state, telemetry }: Config, logger: Logger): Promise<Store> {
  const store = await openStore({
    root: state.directory,
    quota: { limitBytes: state.quotaMb * 1e6, reserveBytes: diskReserveBytes },
    outboxLimitBytes: telemetry.outboxMb * 1e6,
  })
  for (const problem of store.problems) logger.error({ code: problem.code, reason: problem.message }, 'store')
  return store
}

/** Opens everything that the services need; nothing is started. */
export async function openParts(config: Config, { logger, onCamerasEnded }: AgentOptions): Promise<Parts> {
  const hardware = await detectHardware()
  const { providers, runners, inference } = await probeSoftware(config, logger)
  const engines = new Engines(join(config.state.directory, 'engines'), logger)
  const device = config.device.id === '' ? hostname() : config.device.id
  const topics = topicsBelow(config.broker.topicRoot)
  const store = await openDeviceStore(config, logger)
  const connection = new MqttConnection(
    {
      ...(await connectionOptionsOf(config.broker, clientIdOf(device))),
      availabilityTopic: topics.deviceState(device, 'availability'),
    },
    { logger },
  )
  const status = statusOf(store, { connection, topics, device, clock, logger })
  const outbox = new ReportOutbox(store.outbox, connection, { topics, device }, logger)
  const previews = previewsOf({ connection, topics, device, logger }, config.homeassistant)
  const figures = config.telemetry.prometheusPort > 0 ? new PrometheusFigures() : undefined
  const means = { store, inference, hardware, engines, runners }
  const trialMeans = { store, selection: config.selection, inference, engines, runners, clock }
  const scenes = await openScenes(config, { store, connection, topics, device, figures, outbox, logger })
  const comparison = comparisonOf(means, scenes, logger)
  const cameras: CameraHost = new CameraHost({
    cameras: config.cameras,
    detection: config.inference,
    tracking: config.tracking,
    openModel: (served) => openServedModel(means, served),
    sinksOf: (camera) => [
      watch.sink,
      comparison.sink,
      telemetry.sink,
      ...(figures === undefined ? [] : [figures.sink]),
      ...publishingSinks(config, { connection, topics, device }, camera),
    ],
    watchOf: (camera) => scenes.watchOf(camera),
    filterOf: (camera) => scenes.filterOf(camera),
    tapOf: (camera) => bothOf(previews.tapOf(camera), comparison.tapOf(camera)),
    onServing: () => {
      sayReported(parts)
    },
    onLost: () => {
      parts.updater?.checkServing()
    },
    onCamerasEnded: () => {
      onCamerasEnded?.()
    },
    clock,
    random: seededRandom(randomInt(2 ** 32)),
    logger,
  })
  const load = new LoadWatch({ niceness: defaultNiceness, clock, logger })
  const failedFrames = (): number => cameras.failedFrames
  const cpuMs = async (): Promise<number | undefined> => cameras.model?.detector.cpuMs?.()
  const watch: ServingWatch = new ServingWatch(clock, failedFrames, { comparison, load, cpuMs })
  const telemetry: Telemetry = telemetryOf(config, {
    ...{ device, topics, connection, cameras, outboxStore: store.outbox, outbox, figures, clock, logger },
    folder: config.state.directory,
    accuracy: (signal) => servedAccuracy(trialMeans, cameras.served, signal),
  })
  const parts: Parts = {
    device,
    engines,
    runners,
    topics,
    hardware,
    providers,
    inference,
    store,
    connection,
    status,
    outbox,
    cameras,
    previews,
    scenes,
    retained: new RetainedTopics(store.retained, connection, logger),
    watch,
    telemetry,
    figures,
    updater: undefined,
    restoring: undefined,
  }
  return parts
}

function telemetryOf({ telemetry }: Config, parts: TelemetryParts): Telemetry {
  return new Telemetry(telemetryPortsOf(parts), {
    metricsPeriodMs: telemetry.metricsPeriodS * 1000,
    reportPeriodMs: telemetry.reportPeriodS * 1000,
  })
}

function statusOf(store: Store, ports: Omit<DeviceStatusPorts, 'slots'>): DeviceStatus {
  return new DeviceStatus({ ...ports, slots: () => store.slots.state })
}

/** Says what serves and what is under way. */
export function sayReported({ status, cameras, updater, restoring }: Parts): void {
  status.sayReported({
    served: cameras.model,
    restoring,
    deployment: updater?.deployment,
    outcomes: updater?.outcomes ?? [],
    desiredSequence: updater?.desiredSequence,
    refusedWish: updater?.refusedWish,
    distrust: updater?.distrust,
    refusedWishes: updater?.refusedWishCount ?? 0,
  })
}

/** The comparison of a model under watch with the one before it. */
function comparisonOf(means: ServingMeans, scenes: Scenes, logger: Logger): FrameComparison {
  const { conf, iou, maxDet } = means.inference
  return new FrameComparison({
    previous: () => means.store.slots.state.beforeSwitch?.active,
    open: async (model) => (await openServedModel({ ...means, niceness: lastNiceness }, model)).detector,
    detection: { conf, iou, maxDet, multiLabel: false },
    filterOf: (camera) => scenes.filterOf(camera),
    clock,
    logger,
  })
}

function bothOf(first: FrameTap, second: FrameTap): FrameTap {
  return {
    look: (frame) => {
      first.look(frame)
      second.look(frame)
    },
  }
}

/** What works of `providers`. */
function workingOf(providers: readonly ProviderInfo[]): readonly string[] {
  return providers.filter(({ works }) => works).map(({ name }) => name)
}

/** What sends the results of a camera to the broker. */
function publishingSinks(
  { telemetry }: Config,
  { connection, topics, device }: Pick<Parts, 'connection' | 'topics' | 'device'>,
  camera: string,
): readonly ResultSink[] {
  return telemetry.detections
    ? [detectionsSink(connection, topics, device, camera, telemetry.detectionsForm)]
    : []
}

interface PreviewRoute {
  readonly connection: MqttConnection
  readonly topics: Topics
  readonly device: string
  readonly logger: Logger
}

function previewsOf(
  { connection, topics, device, logger }: PreviewRoute,
  { enabled, pictureS }: Config['homeassistant'],
): Previews {
  return new Previews({
    ...(enabled && pictureS > 0 && { standingPeriodMs: pictureS * 1000 }),
    send: (camera, jpeg) =>
      connection.publish(topics.preview(device, camera), jpeg, { qos: 0, retain: false }),
    clock,
    logger,
  })
}
