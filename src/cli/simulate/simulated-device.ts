/**
 * A device without a camera and without a model: it follows signed wishes, really downloads and checks what a device
 * downloads, and says what a device says.
 *
 *     wish -> (in the rollout?) -> manifest -> chunks -> trial -> soak -> committed
 *
 * Invariant: what it reports as serving was fetched whole, every chunk proven by its digest; bytes are not kept.
 */

import { fetchRetained } from '../../agent/delivery/manifests.js'
import type { Clock } from '../../base/clock.js'
import { AgentError, isAgentError, messageOf } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import { type Random, seededRandom } from '../../base/random.js'
import type { Artefact } from '../../protocol/blob.js'
import { type Deployment, encodeDeployment, type WireError } from '../../protocol/deployment.js'
import type { Desired } from '../../protocol/desired.js'
import { openEnvelope, type TrustPolicy } from '../../protocol/envelope.js'
import { type Manifest, manifestPayloadType, parseManifest, type Variant } from '../../protocol/manifest.js'
import { encodeReported, type RunningModel } from '../../protocol/reported.js'
import type { Topics } from '../../protocol/topics.js'
import { downloadBlob } from '../../transport/blob-download.js'
import type { ConnectionOptions } from '../../transport/connection-options.js'
import { MqttConnection } from '../../transport/mqtt-connection.js'
import { WishBook } from '../../update/wishes.js'
import { type BoardKind, boardKinds } from './board-kinds.js'
import { DigestSink } from './digest-sink.js'
import { nextMetrics, simulatedInfo, startOfCourse } from './self-description.js'

/** How simulated devices behave. */
export interface SimulationOptions {
  readonly channel: string
  readonly trust: TrustPolicy
  /** The variant that every device takes; the smallest file unless given. */
  readonly variant?: string
  /** Share of the deployments that a device refuses after its trial, 0..1. */
  readonly failShare: number
  /** Time of a trial and of a soak, milliseconds. */
  readonly trialMs: number
  readonly soakMs: number
  /** Between two samples of metrics, milliseconds; 0 for none. */
  readonly metricsPeriodMs: number
  /** Chunks asked for at once. */
  readonly windowChunks: number
  /** A wish is followed after a random part of this time, milliseconds: 0 at once. */
  readonly spreadMs: number
}

/** What one device has done so far. */
export interface SimulatedOutcome {
  readonly version: string
  readonly result: 'committed' | 'refused' | 'failed'
  /** From the wish to the end, milliseconds; and of that the download. */
  readonly tookMs: number
  readonly downloadMs: number
  readonly fetchedBytes: number
  readonly fetchedChunks: number
  readonly wrongChunks: number
  readonly repeatedRequests: number
  readonly error?: WireError
}

export interface SimulatedDevicePorts {
  readonly clock: Clock
  readonly logger: Logger
  readonly topics: Topics
  readonly onOutcome: (outcome: SimulatedOutcome) => void
}

/** How long an online broker may take to show a manifest. */
const manifestWaitMs = 60_000

/** Timers hold no more than 24 days. */
const longestSleepMs = 2 ** 31 - 1

const refusal: WireError = {
  code: 'deployment.accuracy_low',
  message: 'the simulation was told to refuse this deployment',
}

export class SimulatedDevice {
  readonly name: string
  readonly kind: BoardKind
  readonly connection: MqttConnection
  readonly #options: SimulationOptions
  readonly #ports: SimulatedDevicePorts
  readonly #random: Random
  readonly #course: ReturnType<typeof startOfCourse>
  readonly #stopping = new AbortController()
  #active: RunningModel | undefined
  readonly #wishes: WishBook
  #current: { readonly giveUp: AbortController; readonly done: Promise<void> } | undefined
  #deployments = 0
  #stopMetrics: (() => void) | undefined

  constructor(
    name: string,
    connectionOptions: ConnectionOptions,
    options: SimulationOptions,
    ports: SimulatedDevicePorts,
    seed: number,
  ) {
    this.name = name
    this.#options = options
    this.#ports = ports
    this.#wishes = new WishBook(name, {})
    this.#random = seededRandom(seed)
    this.kind = boardKinds[this.#random.integer(boardKinds.length)]!
    this.#course = startOfCourse(this.kind, this.#random)
    const availabilityTopic = ports.topics.deviceState(name, 'availability')
    this.connection = new MqttConnection(
      { ...connectionOptions, availabilityTopic },
      { logger: ports.logger, clock: ports.clock },
    )
  }

  /** Connects, introduces itself and listens to wishes; returns at once. */
  async start(): Promise<void> {
    const { topics, clock } = this.#ports
    const { channel, metricsPeriodMs } = this.#options
    await this.connection.start()
    await this.connection.publishState(
      topics.deviceState(this.name, 'info'),
      simulatedInfo(this.kind, this.#now(), ['front']),
    )
    await this.#report()
    const targets = new Map([
      [topics.channelDesired(channel), { kind: 'channel', name: channel } as const],
      [topics.deviceDesired(this.name), { kind: 'device', name: this.name } as const],
    ])
    this.connection.subscribe([...targets.keys()], 1, ({ topic, payload }) => {
      const target = targets.get(topic)
      if (target === undefined || payload.byteLength === 0) return
      const arrival = { trust: this.#options.trust, nowMs: clock.wallMs() }
      if (this.#wishes.take(target, payload, arrival) !== 'nothing') void this.#reconsider()
    })
    if (metricsPeriodMs > 0) {
      this.#stopMetrics = clock.every(metricsPeriodMs, () => {
        const sample = { at: this.#now(), windowMs: metricsPeriodMs, cameras: ['front'] }
        const metrics = nextMetrics(this.kind, this.#course, this.#random, sample)
        void this.connection.publish(topics.deviceState(this.name, 'metrics'), metrics, { qos: 0 })
      })
    }
  }

  /** Gives up what is under way and says goodbye. */
  async stop(): Promise<void> {
    this.#stopMetrics?.()
    this.#stopping.abort()
    this.#current?.giveUp.abort()
    await this.#current?.done
    await this.connection.stop()
  }

  /** Ends what is under way, and begins what the newest wishes ask for. */
  async #reconsider(): Promise<void> {
    const { clock } = this.#ports
    const before = this.#current
    before?.giveUp.abort()
    const giveUp = new AbortController()
    const signal = AbortSignal.any([giveUp.signal, this.#stopping.signal])
    const done = (async (): Promise<void> => {
      await before?.done
      let decision = this.#wishes.decide(clock.wallMs())
      for (; decision.kind === 'wait' && !signal.aborted; decision = this.#wishes.decide(clock.wallMs()))
        await clock.sleep(Math.min(decision.waitMs, longestSleepMs), signal)
      if (decision.kind !== 'deploy') return
      const { desired } = decision.wish
      if (this.#active?.version === desired.version) return
      await clock.sleep(this.#random.next() * this.#options.spreadMs, signal)
      if (!signal.aborted) await this.#deploy(desired, signal)
    })()
    this.#current = { giveUp, done }
    await done
  }

  async #deploy(wish: Desired, signal: AbortSignal): Promise<void> {
    const { clock, topics, onOutcome } = this.#ports
    const id = `${this.name}-${++this.#deployments}`
    const startMs = clock.monotonicMs()
    const figures = { fetchedBytes: 0, fetchedChunks: 0, wrongChunks: 0, repeatedRequests: 0, downloadMs: 0 }
    const say = async (state: Deployment['state'], more: Partial<Deployment> = {}): Promise<void> => {
      const { model, version } = wish
      const step = encodeDeployment({ at: this.#now(), id, state, model, version, attempt: 1, ...more })
      await this.connection.publishState(topics.deviceState(this.name, 'deployment'), step)
    }
    const end = async (result: SimulatedOutcome['result'], error?: WireError): Promise<void> => {
      if (signal.aborted) return
      if (error !== undefined) await say('refused', { error })
      await say('idle', error === undefined ? {} : { error })
      const tookMs = clock.monotonicMs() - startMs
      onOutcome({ version: wish.version, result, tookMs, ...figures, ...(error !== undefined && { error }) })
    }
    try {
      await say('offered')
      const manifest = await this.#manifestOf(wish, signal)
      const variant = this.#choose(manifest)
      await say('downloading', { variant: variant.id, progress: 0 })
      const downloadStartMs = clock.monotonicMs()
      for (const artefact of artefactsFor(manifest, variant)) {
        const sink = new DigestSink(artefact.blob)
        const fetched = await downloadBlob(this.connection, topics, artefact.blob, sink, {
          windowChunks: this.#options.windowChunks,
          signal,
          clock,
        })
        figures.fetchedBytes += fetched.fetchedBytes
        figures.fetchedChunks += fetched.fetchedChunks
        figures.wrongChunks += fetched.wrongChunks
        figures.repeatedRequests += fetched.repeatedRequests
      }
      figures.downloadMs = clock.monotonicMs() - downloadStartMs
      await say('verifying', { variant: variant.id })
      await say('trial', { variant: variant.id })
      await clock.sleep(this.#options.trialMs, signal)
      if (this.#random.next() < this.#options.failShare) {
        await end('refused', refusal)
        return
      }
      await say('switching', { variant: variant.id })
      await say('soaking', { variant: variant.id })
      await clock.sleep(this.#options.soakMs, signal)
      if (signal.aborted) return
      await say('committed', { variant: variant.id })
      this.#active = {
        model: wish.model,
        version: wish.version,
        variant: variant.id,
        sha256: variant.artefact.sha256,
        provider: this.kind.provider,
        since: this.#now(),
        why: 'simulated: nothing was measured',
      }
      await this.#report(wish.sequence)
      await end('committed')
    } catch (thrown) {
      const code = isAgentError(thrown) ? thrown.code : 'internal.invariant_broken'
      await end('failed', { code, message: messageOf(thrown) })
    }
  }

  /** The verified manifest of what is wished. Throws `bundle.file_missing`, `trust.*`, `protocol.*`. */
  async #manifestOf({ model, version }: Desired, signal: AbortSignal): Promise<Manifest> {
    const { clock, topics } = this.#ports
    const patience = { clock, signal, waitMs: manifestWaitMs }
    const bytes = await fetchRetained(this.connection, topics.manifest(model, version), patience)
    return parseManifest(openEnvelope(bytes, manifestPayloadType, this.#options.trust).payload)
  }

  #choose({ variants, model, version }: Manifest): Variant {
    const { variant: wanted } = this.#options
    const ordered = variants.toSorted((a, b) => a.artefact.blob.sizeBytes - b.artefact.blob.sizeBytes)
    const variant = wanted === undefined ? ordered[0] : ordered.find(({ id }) => id === wanted)
    if (variant !== undefined) return variant
    const ids = variants.map(({ id }) => id).join(', ')
    throw new AgentError(
      'bundle.file_missing',
      `${model} ${version} has no variant ${wanted ?? ''}, only ${ids}`,
    )
  }

  async #report(desiredSequence?: number): Promise<void> {
    const reported = encodeReported({
      at: this.#now(),
      ...(this.#active !== undefined && { active: this.#active }),
      ...(desiredSequence !== undefined && { desiredSequence }),
    })
    await this.connection.publishState(this.#ports.topics.deviceState(this.name, 'reported'), reported)
  }

  #now(): string {
    return new Date(this.#ports.clock.wallMs()).toISOString()
  }
}

/** What a device downloads for one variant: its file, and the pictures that it is tried on. */
function artefactsFor(manifest: Manifest, variant: Variant): readonly Artefact[] {
  return manifest.golden === undefined ? [variant.artefact] : [variant.artefact, manifest.golden.artefact]
}
