/**
 * The agent: every part, wired.
 *
 *     wishes --> updater --> artefacts (MQTT -> store)      cameras --> pipelines --> detections --> MQTT
 *                   |                                                      ^
 *                   '---- serve(model) ---> camera host ---- model slot ---'
 *
 * Invariant: what was started is stopped in reverse order, each part exactly once; the agent works without a broker, and
 * serves the model it has before it looks for another.
 */

import { randomInt } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../base/clock.js'
import { messageOf } from '../base/errors.js'
import { Lifecycle, type Service } from '../base/lifecycle.js'
import type { Logger } from '../base/logger.js'
import { seededRandom } from '../base/random.js'
import type { Config } from '../config/config.js'
import { detectHardware } from '../hardware/detect-hardware.js'
import type { HardwareProfile } from '../hardware/hardware-profile.js'
import type { DeploymentState } from '../protocol/deployment.js'
import { deploymentHistoryData, deploymentsCommandName } from '../protocol/deployment-history.js'
import type { ProviderInfo } from '../protocol/info.js'
import { type Topics, topicsBelow } from '../protocol/topics.js'
import { openStore, type Store } from '../store/store.js'
import { Telemetry } from '../telemetry/telemetry.js'
import { MqttConnection } from '../transport/mqtt-connection.js'
import { Updater } from '../update/updater.js'
import type { UpdatePorts } from '../update/ports.js'
import { connectionOptionsOf } from './broker-connection.js'
import { artefactsOf } from './delivery/artefacts.js'
import { listenToCommands } from './delivery/commands.js'
import { manifestsOf } from './delivery/manifests.js'
import { listenToWishes } from './delivery/wishes.js'
import { serviceNotifier } from './notify-systemd.js'
import { deviceInfoOf } from './reporting/device-info.js'
import { DeviceStatus } from './reporting/device-status.js'
import { endedDeployments } from './reporting/ended-deployments.js'
import { probeProviders } from './probe/probe-providers.js'
import { probeRunners, workingRunners } from './probe/probe-runners.js'
import { ReportOutbox } from './reporting/report-outbox.js'
import { telemetryPortsOf } from './reporting/telemetry-ports.js'
import { CameraHost } from './serving/camera-host.js'
import { detectionsSink } from './serving/detections-sink.js'
import { Engines } from './serving/engines.js'
import { libraryOptionsOf, openServedModel } from './serving/open-served-model.js'
import { ServingWatch } from './serving/serving-watch.js'
import { trustPolicyOf } from './trusted-keys.js'
import { updaterOptionsOf } from './updater-options.js'
import { conditionWatch } from './selection/condition-watch.js'
import type { ProvenRunner } from './trial/device-profile.js'
import { createTrials, servedAccuracy } from './trial/trials.js'

export interface AgentOptions {
  readonly logger: Logger
  /** Of this program. */
  readonly version: string
  /** Called when every camera has come to its end: files that do not start again. */
  readonly onCamerasEnded?: () => void
}

export interface Agent {
  readonly deploymentState: DeploymentState
  /** Finishes frames under way, says `stopped` to the broker, closes everything. Idempotent. */
  stop(): Promise<void>
}

/** Starts an agent. Throws `config.*`, `resource.*`; a broker or camera that is away is no reason not to start. */
export async function startAgent(config: Config, options: AgentOptions): Promise<Agent> {
  const { logger } = options
  const lifecycle = new Lifecycle()
  const stop = (): Promise<void> =>
    lifecycle.stop((service, thrown) => {
      logger.error({ service: service.name, reason: messageOf(thrown) }, 'a part did not stop cleanly')
    })
  try {
    const parts = await openParts(config, options)
    for (const service of servicesOf(parts, config, options)) await lifecycle.start(service)
    return {
      get deploymentState() {
        return parts.updater?.state ?? 'idle'
      },
      stop,
    }
  } catch (thrown) {
    await stop()
    throw thrown
  }
}

/** What the services share. */
interface Parts {
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
  readonly watch: ServingWatch
  readonly telemetry: Telemetry
  /** Present once started. */
  updater: Updater | undefined
}

const clock = systemClock
const conditionPeriodMs = 5_000
/** A mode that is set for a moment is not worth a measurement. */
const powerModeSettleMs = 15_000
/** Kept free on the disk for everybody else. */
const diskReserveBytes = 64 * 1024 * 1024

/** Tries what the settings name; what does not work is logged and left out. */
async function probeSoftware(
  { inference }: Config,
  logger: Logger,
): Promise<Pick<Parts, 'providers' | 'runners'>> {
  const providers = await probeProviders(inference.providers, libraryOptionsOf(inference))
  for (const { name, works, reason } of providers)
    if (!works) logger.warn({ provider: name, reason }, 'execution provider does not work here')
  const runners = await probeRunners(inference.runners)
  for (const runner of runners)
    if (!runner.works) logger.warn({ kind: runner.kind, reason: runner.reason }, 'runner does not work here')
  return { providers, runners: workingRunners(runners) }
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

async function openParts(config: Config, { logger, onCamerasEnded }: AgentOptions): Promise<Parts> {
  const hardware = await detectHardware()
  const { providers, runners } = await probeSoftware(config, logger)
  const inference = { ...config.inference, providers: workingOf(providers) }
  const engines = new Engines(join(config.state.directory, 'engines'), logger)
  const device = config.device.id === '' ? hostname() : config.device.id
  const topics = topicsBelow(config.broker.topicRoot)
  const store = await openDeviceStore(config, logger)
  const connection = new MqttConnection(
    {
      ...(await connectionOptionsOf(config.broker, device)),
      availabilityTopic: topics.deviceState(device, 'availability'),
    },
    { logger },
  )
  const status = new DeviceStatus({
    connection,
    topics,
    device,
    slots: () => store.slots.state,
    clock,
    logger,
  })
  const outbox = new ReportOutbox(store.outbox, connection, topics.deviceState(device, 'report'), logger)
  const cameras: CameraHost = new CameraHost({
    cameras: config.cameras,
    detection: config.inference,
    openModel: (served) => openServedModel({ store, inference, hardware, engines, runners }, served),
    sinksOf: (camera) => [
      watch.sink,
      telemetry.sink,
      ...(config.telemetry.detections ? [detectionsSink(connection, topics, device, camera)] : []),
    ],
    onServing: () => {
      sayReported(parts)
    },
    onCamerasEnded: () => {
      onCamerasEnded?.()
    },
    clock,
    random: seededRandom(randomInt(2 ** 32)),
    logger,
  })
  const watch: ServingWatch = new ServingWatch(clock, () => cameras.failedFrames)
  const telemetry: Telemetry = new Telemetry(
    telemetryPortsOf({
      device,
      topics,
      connection,
      cameras,
      outboxStore: store.outbox,
      outbox,
      folder: config.state.directory,
      accuracy: (signal) =>
        servedAccuracy(
          { store, selection: config.selection, inference, engines, runners, clock },
          store.slots.state.active,
          signal,
        ),
      clock,
      logger,
    }),
    {
      metricsPeriodMs: config.telemetry.metricsPeriodS * 1000,
      reportPeriodMs: config.telemetry.reportPeriodS * 1000,
    },
  )
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
    watch,
    telemetry,
    updater: undefined,
  }
  return parts
}

function sayReported({ status, cameras, updater }: Parts): void {
  status.sayReported({
    provider: cameras.model?.provider,
    deployment: updater?.deployment,
    desiredSequence: updater?.desiredSequence,
  })
}

/** In the order of their start. */
function servicesOf(parts: Parts, config: Config, { logger, version }: AgentOptions): readonly Service[] {
  const { connection, topics, device, outbox, cameras, status, hardware, providers } = parts
  const startedAtMs = clock.wallMs()
  let closeWishes = (): Promise<void> => Promise.resolve()
  const notifier = serviceNotifier(process.env, clock, logger)
  let endWatch = (): void => undefined
  return [
    connection,
    service(
      'info',
      () => {
        status.sayInfo(
          deviceInfoOf({
            hardware,
            config,
            agentVersion: version,
            startedAtMs,
            nowMs: startedAtMs,
            providers,
          }),
        )
      },
      () => undefined,
    ),
    service(
      'outbox',
      () => {
        outbox.start()
      },
      () => outbox.stop(),
    ),
    service(
      'cameras',
      () => undefined,
      () => cameras.stop(),
    ),
    service(
      'updates',
      async () => {
        parts.updater = await Updater.start(updatePortsOf(parts, config, logger), {
          ...updaterOptionsOf(config),
          device,
        })
        sayReported(parts)
      },
      async () => {
        await parts.updater?.stop()
      },
    ),
    service(
      'wishes',
      () => {
        closeWishes = listenToWishes(
          connection,
          topics,
          { ...config.device, id: device },
          (target, envelope) => {
            parts.updater?.wish(target, envelope)
          },
        )
      },
      () => closeWishes(),
    ),
    commandService(parts, logger),
    conditionWatch({
      limits: { powerModeMs: powerModeSettleMs, throttleMs: config.selection.throttleS * 1000 },
      periodMs: conditionPeriodMs,
      clock,
      onChange: (reason) => {
        logger.info({ reason }, 'the variants are measured anew')
        parts.updater?.reconsider(reason)
      },
    }),
    parts.telemetry,
    service(
      'systemd',
      () => {
        notifier.ready(`device ${device}`)
        endWatch = notifier.watch(() => true)
      },
      () => {
        endWatch()
        notifier.stopping()
      },
    ),
  ]
}

function commandService(parts: Parts, logger: Logger): Service {
  const { connection, topics, device } = parts
  const history = (): unknown => deploymentHistoryData(endedDeployments(parts.updater?.outcomes ?? []))
  const answers = new Map([[deploymentsCommandName, history]])
  let close = (): Promise<void> => Promise.resolve()
  return service(
    'commands',
    () => {
      close = listenToCommands({ connection, topics, clock, logger }, device, answers)
    },
    () => close(),
  )
}

function updatePortsOf(parts: Parts, config: Config, logger: Logger): UpdatePorts {
  const { store, connection, topics, status, outbox, cameras, watch, inference, engines, runners } = parts
  const artefacts = artefactsOf({ connection, topics, store, delivery: config.delivery, logger })
  return {
    journal: store.journal,
    slots: store.slots,
    manifests: manifestsOf(connection, topics, store.manifests, clock),
    artefacts: {
      ...artefacts,
      collectGarbage: async (alsoKeep) => {
        const { active, previous } = store.slots.state
        const kept = [active, previous].flatMap((model) => model?.blobSha256s ?? [])
        await engines.collectGarbage([...kept, ...alsoKeep.blobSha256s])
        return artefacts.collectGarbage(alsoKeep)
      },
    },
    trials: createTrials({ store, selection: config.selection, inference, engines, runners, clock }),
    measurements: store.measurements,
    serving: cameras,
    soakWatch: watch,
    permission: { waitForTrial: () => Promise.resolve() },
    reporting: {
      deployment: (deployment) => {
        status.sayDeployment(deployment)
        sayReported(parts)
      },
      report: (report) => {
        void outbox.add(report)
      },
    },
    trust: () => trustPolicyOf(config.security.trustedKeys, config.security.allowUnsigned),
    clock,
    random: seededRandom(randomInt(2 ** 32)),
    logger,
  }
}

function workingOf(providers: readonly ProviderInfo[]): readonly string[] {
  return providers.filter(({ works }) => works).map(({ name }) => name)
}

function service(name: string, start: () => Promise<void> | void, stop: () => Promise<void> | void): Service {
  return {
    name,
    start: async () => {
      await start()
    },
    stop: async () => {
      await stop()
    },
  }
}
