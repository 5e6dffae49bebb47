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
import { systemClock } from '../base/clock.js'
import { messageOf } from '../base/errors.js'
import { Lifecycle, type Service } from '../base/lifecycle.js'
import type { Logger } from '../base/logger.js'
import { seededRandom } from '../base/random.js'
import type { Config } from '../config/config.js'
import { readBootId } from '../hardware/boot-id.js'
import type { DeploymentState } from '../protocol/deployment.js'
import { deploymentHistoryData, deploymentsCommandName } from '../protocol/deployment-history.js'
import { previewCommand } from '../protocol/preview.js'
import { MetricsServer } from '../telemetry/metrics-server.js'
import { Updater } from '../update/updater.js'
import type { UpdatePorts } from '../update/ports.js'
import { brokerAbsence } from './broker-absence.js'
import { artefactsOf } from './delivery/artefacts.js'
import { type Answer, listenToCommands } from './delivery/commands.js'
import { maintenanceWindows } from './delivery/maintenance-windows.js'
import { manifestsOf } from './delivery/manifests.js'
import { listenToWishes } from './delivery/wishes.js'
import { type LivenessPorts, stuckReason } from './liveness.js'
import { returnFreedMemory } from '../runtime/freed-memory.js'
import { serviceNotifier } from './notify-systemd.js'
import { deviceInfoOf } from './reporting/device-info.js'
import { announcedTopics, announceToHomeAssistant } from './reporting/home-assistant.js'
import { endedDeployments } from './reporting/ended-deployments.js'
import { trustPolicyOf } from './trusted-keys.js'
import { trustedKeysWatch } from './trusted-keys-watch.js'
import { updaterOptionsOf } from './updater-options.js'
import { conditionWatch } from './selection/condition-watch.js'
import { createTrials } from './trial/trials.js'
import { type AgentOptions, openParts, type Parts, sayReported } from './parts.js'

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
    await sayStart(parts, config, options)
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

/** The first line of a log: what runs, as whom, with which cameras and keys. */
async function sayStart(parts: Parts, config: Config, { logger, version }: AgentOptions): Promise<void> {
  // Keys that cannot be read are told by whoever needs them.
  const keys = await trustOf(config).then(
    (trust) => trust.keys.map(({ keyId }) => keyId.slice(0, 16)),
    () => [],
  )
  logger.info(
    {
      version,
      device: parts.device,
      channel: config.device.channel,
      providers: parts.inference.providers,
      cameras: config.cameras.map(({ name }) => name),
      keys,
    },
    'starting',
  )
}

const clock = systemClock
const conditionPeriodMs = 5_000
const keysPeriodMs = 10_000
/** A mode that is set for a moment is not worth a measurement. */
const powerModeSettleMs = 15_000

/** In the order of their start. */
function servicesOf(parts: Parts, config: Config, { logger, version }: AgentOptions): readonly Service[] {
  const { connection, topics, device, outbox, cameras, status, hardware, providers } = parts
  const startedAtMs = clock.wallMs()
  let closeWishes = (): Promise<void> => Promise.resolve()
  return [
    connection,
    brokerAbsence(connection, clock, logger),
    trustedKeysWatch({
      trust: () => trustOf(config),
      onKeys: (trustedKeys) => {
        const facts = { hardware, config, agentVersion: version, startedAtMs, providers, trustedKeys }
        status.sayInfo(deviceInfoOf({ ...facts, nowMs: clock.wallMs() }))
        parts.updater?.checkServing()
      },
      clock,
      periodMs: keysPeriodMs,
    }),
    service(
      'outbox',
      () => {
        outbox.start()
      },
      () => outbox.stop(),
    ),
    service(
      'retained topics',
      async () => {
        const counts = parts.scenes.cameras.map((camera) => topics.counts(device, camera))
        await parts.retained.start([...counts, ...announcedTopics(config, topics, device)])
        const board = hardware.board.name
        announceToHomeAssistant(config, { connection, topics, device, board, agentVersion: version, logger })
      },
      () => parts.retained.stop(),
    ),
    // Stops after the cameras, with all that they have counted.
    parts.scenes,
    service(
      'cameras',
      () => undefined,
      () => cameras.stop(),
    ),
    service(
      'updates',
      async () => {
        const bootId = await readBootId()
        parts.updater = await Updater.start(updatePortsOf(parts, config, logger), {
          ...updaterOptionsOf(config),
          ...(bootId !== undefined && { bootId }),
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
    commandService(parts, config.telemetry.previews, logger),
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
    systemdService(parts, logger),
    ...metricsServices(parts, config.telemetry.prometheusPort, logger),
  ]
}

/** What Prometheus and health checks of this machine read; nothing unless the settings name a port. */
function metricsServices(parts: Parts, port: number, logger: Logger): readonly Service[] {
  const { figures } = parts
  if (figures === undefined) return []
  const liveness = livenessOf(parts)
  return [
    new MetricsServer({
      port,
      text: () => figures.text(),
      stuckReason: () => stuckReason(liveness),
      logger,
    }),
  ]
}

function livenessOf({ cameras, connection }: Parts): LivenessPorts {
  return { frameSinceMs: () => cameras.frameSinceMs, brokerDueMs: () => connection.dueMs, clock }
}

function systemdService(parts: Parts, logger: Logger): Service {
  const notifier = serviceNotifier(process.env, clock, logger)
  const liveness = livenessOf(parts)
  let endWatch = (): void => undefined
  return service(
    'systemd',
    () => {
      notifier.ready(`device ${parts.device}`)
      endWatch = notifier.watch(() => {
        const reason = stuckReason(liveness)
        if (reason !== undefined) logger.error({ reason }, 'the watchdog is not fed')
        return reason === undefined
      })
    },
    () => {
      endWatch()
      notifier.stopping()
    },
  )
}

function commandService(parts: Parts, hasPreviews: boolean, logger: Logger): Service {
  const { connection, topics, device, previews } = parts
  const history = (): unknown => deploymentHistoryData(endedDeployments(parts.updater?.outcomes ?? []))
  const preview: Answer = (args) => previews.answer(args)
  const answers = new Map<string, Answer>([[deploymentsCommandName, history]])
  if (hasPreviews) answers.set(previewCommand, preview)
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
    permission: maintenanceWindows(config.update.windows, clock),
    reporting: {
      deployment: (deployment) => {
        status.sayDeployment(deployment)
        sayReported(parts)
        // What its trial, its watch and the model before had taken is free by now.
        if (deployment.state === 'idle') void returnFreedMemory()
      },
      serving: (restoring) => {
        parts.restoring = restoring
        sayReported(parts)
      },
      report: (report) => {
        void outbox.add(report)
      },
      wishes: () => {
        sayReported(parts)
      },
    },
    trust: () => trustOf(config),
    clock,
    random: seededRandom(randomInt(2 ** 32)),
    logger,
  }
}

function trustOf({ security }: Config): ReturnType<typeof trustPolicyOf> {
  return trustPolicyOf(security.trustedKeys, security.allowUnsigned)
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
