/**
 * The connection to the broker that lasts: opens sessions one after the other, for ever, and makes subscriptions and
 * retained state survive them.
 *
 *     start -> [connecting] -> [online] -> (closed) -> [waiting, jittered backoff] -> [connecting] -> ... -> stop
 *
 * Invariant: while online, the broker knows every filter of the table; nothing queues up in memory while offline.
 */

import { backoffDelayMs } from '../base/backoff.js'
import { systemClock } from '../base/clock.js'
import type { Clock } from '../base/clock.js'
import { AgentError, type ErrorCode, messageOf } from '../base/errors.js'
import type { Service } from '../base/lifecycle.js'
import type { Logger } from '../base/logger.js'
import { seededRandom } from '../base/random.js'
import type { Random } from '../base/random.js'
import { sha256Of } from '../base/digest.js'
import type { BrokerLimits } from './broker-limits.js'
import { resolveOptions } from './connection-options.js'
import type { BrokerAddress, ConnectionOptions, ResolvedOptions } from './connection-options.js'
import type { ArrivalListener } from './arrival-meter.js'
import { openSession } from './mqtt-session.js'
import type {
  IncomingMessage,
  MqttSession,
  OpenOutcome,
  PublishOptions,
  PublishOutcome,
  SessionListener,
  SubscribeOutcome,
} from './mqtt-session.js'
import { RetainedState } from './retained-state.js'
import { Subscriptions } from './subscriptions.js'
import type { MessageListener } from './subscriptions.js'

/** A connection that lasted this long was a good one: the next wait starts small again. A broker may restart often. */
const goodSessionMs = 2_000
const goodbyeMs = 1000
/** What a step of the loop may be late on a busy machine. */
const stepSlackMs = 15_000

/** Counters since construction. */
export interface ConnectionStats {
  readonly isOnline: boolean
  /** 5 or 4 (3.1.1) while online. */
  readonly protocolVersion: 4 | 5 | undefined
  readonly reconnects: number
  readonly publishesSent: number
  /** Messages that were not sent: offline, too large, too much waiting, refused. */
  readonly publishesDropped: number
  readonly messagesReceived: number
  /** Messages that nobody had asked for. */
  readonly messagesUnexpected: number
  /** Messages over the limit of their topic, which nobody has read. */
  readonly messagesOversized: number
}

/** Listens to some filters until closed. */
export interface Subscription {
  /** What the broker said; `offline` means that it is asked after the next connect. */
  readonly outcome: Promise<SubscribeOutcome>
  /** Stops listening; resolves when the broker knows, or is away. */
  close(): Promise<void>
}

export interface ConnectionPorts {
  readonly logger: Logger
  readonly clock?: Clock
  readonly random?: Random
}

type OnlineListener = (isOnline: boolean) => void

/** One address with what is known of it. */
interface Route extends BrokerAddress {
  version: 4 | 5
  isVersionSettled: boolean
}

type Failure = Extract<OpenOutcome, { status: 'failed' }>

/** What is said to the broker in one go: everything of one turn of the event loop. */
interface Batch<T> {
  readonly filters: string[]
  readonly outcome: Promise<T>
}

export class MqttConnection implements Service {
  readonly name = 'mqtt'
  readonly #options: ResolvedOptions
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #random: Random
  readonly #subscriptions = new Subscriptions()
  readonly #retained = new RetainedState()
  readonly #onlineListeners = new Set<OnlineListener>()
  readonly #arrivalListeners = new Set<ArrivalListener>()
  readonly #subscribing = new Map<0 | 1, Batch<SubscribeOutcome>>()
  #unsubscribing: Batch<void> | undefined
  readonly #stopping = new AbortController()
  readonly #listener: SessionListener = {
    onMessage: (message) => {
      this.#receive(message)
    },
    onArrival: (topic, bytes) => {
      for (const listener of this.#arrivalListeners) listener(topic, bytes)
    },
    onOversized: (topic, sizeBytes) => {
      this.#keptOut(topic, sizeBytes)
    },
  }
  #session: MqttSession | undefined
  #running: Promise<void> | undefined
  #lastError: AgentError | undefined
  #isRefusedForGood = false
  /** Monotonic time by which the loop takes its next step at the latest. */
  #dueMs = Number.POSITIVE_INFINITY
  #reconnects = 0
  #publishesSent = 0
  #publishesDropped = 0
  #messagesReceived = 0
  #messagesUnexpected = 0
  #messagesOversized = 0

  /** Checks the options, connects nothing. Throws `config.value_invalid`. */
  constructor(options: ConnectionOptions, ports: ConnectionPorts) {
    this.#options = resolveOptions(options)
    this.#logger = ports.logger
    this.#clock = ports.clock ?? systemClock
    const seed = Number.parseInt(sha256Of(options.clientId).slice(0, 8), 16) ^ this.#clock.wallMs()
    this.#random = ports.random ?? seededRandom(seed)
  }

  /** Begins to connect and returns at once: a device works without a broker. */
  start(): Promise<void> {
    this.#running ??= this.#run()
    return Promise.resolve()
  }

  /** Says `stopped`, disconnects. Bounded in time, also when the broker does not answer. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return this.#running
    const session = this.#session
    if (session !== undefined) await this.#sayGoodbye(session)
    this.#stopping.abort()
    await session?.close(goodbyeMs)
    await this.#running
  }

  /** Ends without a goodbye, as a power cut does: the broker sends the last will. */
  async abandon(): Promise<void> {
    this.#stopping.abort()
    this.#session?.abandon()
    await this.#running
  }

  get isOnline(): boolean {
    return this.#session !== undefined
  }

  /** What the current broker has announced; undefined while offline. */
  get brokerLimits(): BrokerLimits | undefined {
    return this.#session?.limits
  }

  /**
   * Monotonic time by which the connection has taken its next step at the latest, whatever the broker does: an attempt ends
   * within its limit, and so does a wait. Later than that, its loop is stuck.
   */
  get dueMs(): number {
    return this.#dueMs
  }

  /** Why the last connection ended or could not be made; undefined while online and before the first attempt. */
  get lastError(): AgentError | undefined {
    return this.#lastError
  }

  /** Calls `listener` while messages arrive, part by part, until the returned function is called. */
  onArrival(listener: ArrivalListener): () => void {
    this.#arrivalListeners.add(listener)
    return () => this.#arrivalListeners.delete(listener)
  }

  /**
   * Resolves when the broker has answered a packet that is sent now: what it had written before that has arrived then.
   * Resolves with false when there is no connection, or it ends first.
   */
  async roundTrip(): Promise<boolean> {
    return (await this.#session?.roundTrip()) ?? false
  }

  stats(): ConnectionStats {
    return {
      isOnline: this.isOnline,
      protocolVersion: this.#session?.protocolVersion,
      reconnects: this.#reconnects,
      publishesSent: this.#publishesSent,
      publishesDropped: this.#publishesDropped,
      messagesReceived: this.#messagesReceived,
      messagesUnexpected: this.#messagesUnexpected,
      messagesOversized: this.#messagesOversized,
    }
  }

  /** Calls `listener` at each change between online and offline, until the returned function is called. */
  onOnlineChange(listener: OnlineListener): () => void {
    this.#onlineListeners.add(listener)
    return () => this.#onlineListeners.delete(listener)
  }

  /**
   * Resolves when online. Rejects with the last reason (`network.broker_unreachable`, `network.broker_refused`) after
   * `limitMs`, or at once when the broker refuses for good; with `network.request_timeout` when `signal` aborts.
   */
  async requireOnline(limitMs: number, signal?: AbortSignal): Promise<void> {
    const broker = this.#options.addresses.map((address) => address.broker).join(', ')
    const deadlineMs = this.#clock.monotonicMs() + limitMs
    while (!this.isOnline) {
      const remainingMs = deadlineMs - this.#clock.monotonicMs()
      const isOver = remainingMs <= 0 || this.#stopping.signal.aborted
      if (isOver || (this.#isRefusedForGood && this.#lastError !== undefined)) {
        throw (
          this.#lastError ??
          new AgentError('network.broker_unreachable', `cannot reach broker ${broker} in time`)
        )
      }
      if (signal?.aborted === true) {
        throw new AgentError('network.request_timeout', `gave up waiting for broker ${broker}`)
      }
      await this.#clock.sleep(Math.min(20, remainingMs), signal)
    }
  }

  /**
   * Listens to `filters` with at most `qos`, now and after each reconnect. A retained message of a plain topic that is
   * subscribed already arrives only for the first listener.
   */
  subscribe(filters: readonly string[], qos: 0 | 1, listener: MessageListener): Subscription {
    const fresh = filters.filter((filter) => this.#subscriptions.add(filter, qos, listener))
    const outcome = this.#subscribeSoon(fresh, qos)
    let isOpen = true
    return {
      outcome,
      close: async () => {
        if (!isOpen) return
        isOpen = false
        const left = filters.filter((filter) => this.#subscriptions.remove(filter, listener))
        if (left.length > 0) await this.#unsubscribeSoon(left)
      },
    }
  }

  async #subscribeSoon(filters: readonly string[], qos: 0 | 1): Promise<SubscribeOutcome> {
    let batch = this.#subscribing.get(qos)
    if (batch === undefined) {
      const all: string[] = []
      const outcome = endOfTurn().then(() => {
        this.#subscribing.delete(qos)
        return this.#tellSubscribed(all, qos)
      })
      batch = { filters: all, outcome }
      this.#subscribing.set(qos, batch)
    }
    batch.filters.push(...filters)
    const outcome = await batch.outcome
    if (outcome.status !== 'refused') return outcome
    const refused = filters.filter((filter) => outcome.filters.includes(filter))
    return refused.length === 0 ? { status: 'granted' } : { status: 'refused', filters: refused }
  }

  #unsubscribeSoon(filters: readonly string[]): Promise<void> {
    if (this.#unsubscribing === undefined) {
      const all: string[] = []
      const outcome = endOfTurn().then(async () => {
        this.#unsubscribing = undefined
        // Who has subscribed again in the meantime stays subscribed.
        const left = all.filter((filter) => !this.#subscriptions.has(filter))
        if (left.length > 0) await this.#session?.unsubscribe(left)
      })
      this.#unsubscribing = { filters: all, outcome }
    }
    this.#unsubscribing.filters.push(...filters)
    return this.#unsubscribing.outcome
  }

  /** Sends one message now, or drops it: nothing is kept for later. Never rejects. */
  async publish(
    topic: string,
    payload: Uint8Array | string,
    options: PublishOptions,
  ): Promise<PublishOutcome> {
    const outcome = (await this.#session?.publish(topic, payload, options)) ?? { status: 'offline' }
    if (outcome.status === 'sent') this.#publishesSent++
    else this.#publishesDropped++
    return outcome
  }

  /**
   * Makes `payload` (taken) the retained state of `topic`: sent now if online, and again after every connect.
   * Resolves when the broker has it or it has to wait for the next connect.
   */
  async publishState(topic: string, payload: Uint8Array): Promise<void> {
    this.#retained.set(topic, payload)
    if (this.isOnline) await this.#sendState(topic, payload)
  }

  async #sendState(topic: string, payload: Uint8Array): Promise<void> {
    const outcome = await this.publish(topic, payload, { qos: 1, retain: true })
    if (outcome.status === 'sent' || outcome.status === 'offline') return
    this.#logger.warn({ topic, outcome }, 'state not published')
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    const { addresses, protocol, backoff } = this.#options
    const routes = addresses.map((address): Route => {
      return { ...address, version: protocol === 4 ? 4 : 5, isVersionSettled: protocol !== 'auto' }
    })
    let attempt = 0
    while (!signal.aborted) {
      const lastedMs = await this.#tryInTurn(routes)
      if (lastedMs >= goodSessionMs) attempt = 0
      const delayMs = backoffDelayMs(attempt++, backoff, this.#random)
      this.#expectWithin(delayMs)
      await this.#clock.sleep(delayMs, signal)
    }
    this.#dueMs = Number.POSITIVE_INFINITY
  }

  #expectWithin(limitMs: number): void {
    this.#dueMs = this.#clock.monotonicMs() + limitMs + stepSlackMs
  }

  /** Tries every address once, beginning with the one that was used last. Returns how long a connection lasted. */
  async #tryInTurn(routes: Route[]): Promise<number> {
    const failures: Failure[] = []
    for (let tries = routes.length; tries > 0 && !this.#isStopping(); tries--) {
      const [route] = routes
      if (route === undefined) return 0
      const outcome = await this.#open(route)
      if (outcome.status === 'open') {
        // A session ends by itself when its broker is silent.
        this.#dueMs = Number.POSITIVE_INFINITY
        return this.#serve(outcome.session, route)
      }
      failures.push(outcome)
      routes.push(...routes.splice(0, 1))
    }
    this.#noteFailures(failures)
    return 0
  }

  /** Tries one address, with the other version of MQTT at once where the first one that is offered is not known. */
  async #open(route: Route): Promise<OpenOutcome> {
    this.#expectWithin(this.#options.connectTimeoutMs)
    const outcome = await openSession(this.#options, route, route.version, this.#clock, this.#listener)
    if (outcome.status === 'open') route.isVersionSettled = true
    else if (!route.isVersionSettled && outcome.isVersionRefused) {
      const wasFirstOffer = route.version === 5
      route.version = wasFirstOffer ? 4 : 5
      if (wasFirstOffer && !this.#isStopping()) return this.#open(route)
    }
    return outcome
  }

  #noteFailures(failures: readonly Failure[]): void {
    const [first] = failures
    if (first === undefined) return
    const message = failures.map(({ error }) => error.message).join('; ')
    const { code, hint } = first.error
    const isNew = message !== this.#lastError?.message
    this.#lastError =
      failures.length === 1
        ? first.error
        : new AgentError(code, message, { cause: first.error, ...(hint !== undefined && { hint }) })
    this.#isRefusedForGood = failures.every(
      ({ isLasting, isVersionRefused }) => isLasting && !isVersionRefused,
    )
    if (isNew) this.#logger.warn({ code, reason: message }, 'broker connection failed')
  }

  /** Uses one session until it closes; returns how long it lasted. */
  async #serve(session: MqttSession, { broker }: BrokerAddress): Promise<number> {
    const sinceMs = this.#clock.monotonicMs()
    if (this.#isStopping()) {
      await session.close(goodbyeMs)
      return 0
    }
    this.#session = session
    this.#lastError = undefined
    this.#isRefusedForGood = false
    this.#logger.info({ broker, protocol_version: session.protocolVersion }, 'broker connected')
    void this.#restore()
    this.#announce(true)
    const error = await session.closed
    this.#session = undefined
    this.#lastError = error
    this.#announce(false)
    if (!this.#isStopping()) {
      this.#reconnects++
      this.#logger.warn({ code: error.code, reason: error.message }, 'broker connection lost')
    }
    return this.#clock.monotonicMs() - sinceMs
  }

  /** Brings a fresh session to what it should know: own availability, filters, retained state. */
  async #restore(): Promise<void> {
    const { availabilityTopic } = this.#options
    const byQos = new Map<0 | 1, string[]>()
    for (const [filter, qos] of this.#subscriptions.all()) byQos.set(qos, [...(byQos.get(qos) ?? []), filter])
    const told = [...byQos].map(([qos, filters]) => this.#tellSubscribed(filters, qos))
    if (availabilityTopic !== undefined) await this.#sendState(availabilityTopic, Buffer.from('online'))
    for (const [topic, payload] of this.#retained.entries()) {
      if (this.#retained.isNewest(topic, payload)) await this.#sendState(topic, payload)
    }
    await Promise.all(told)
  }

  async #tellSubscribed(filters: readonly string[], qos: 0 | 1): Promise<SubscribeOutcome> {
    const session = this.#session
    if (session === undefined) return { status: 'offline' }
    const size = this.#options.topicsPerSubscribe
    const outcomes: Promise<SubscribeOutcome>[] = []
    for (let start = 0; start < filters.length; start += size) {
      outcomes.push(session.subscribe(filters.slice(start, start + size), qos))
    }
    const refused: string[] = []
    for (const outcome of await Promise.all(outcomes)) {
      if (outcome.status === 'offline') return outcome
      if (outcome.status === 'refused') refused.push(...outcome.filters)
    }
    if (refused.length === 0) return { status: 'granted' }
    this.#logger.warn({ filters: refused.slice(0, 8), count: refused.length }, 'broker refused subscriptions')
    return { status: 'refused', filters: refused }
  }

  #keptOut(topic: string, sizeBytes: number): void {
    this.#messagesOversized++
    this.#logger.warn(
      { topic, bytes: sizeBytes, code: 'protocol.payload_oversized' satisfies ErrorCode },
      'message refused',
    )
  }

  #receive(message: IncomingMessage): void {
    this.#messagesReceived++
    try {
      if (this.#subscriptions.dispatch(message) === 0) this.#messagesUnexpected++
    } catch (thrown) {
      // A payload that a listener refuses must not end the session; anything but an AgentError is a bug and surfaces.
      if (!(thrown instanceof AgentError)) throw thrown
      this.#logger.warn(
        { topic: message.topic, code: thrown.code, reason: messageOf(thrown) },
        'message refused',
      )
    }
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted
  }

  #announce(isOnline: boolean): void {
    for (const listener of [...this.#onlineListeners]) listener(isOnline)
  }

  async #sayGoodbye(session: MqttSession): Promise<void> {
    const { availabilityTopic } = this.#options
    if (availabilityTopic === undefined) return
    const timer = new AbortController()
    const said = session.publish(availabilityTopic, 'stopped', { qos: 1, retain: true })
    await Promise.race([said, this.#clock.sleep(goodbyeMs, timer.signal)])
    timer.abort()
  }
}

/** Resolves after everything that is called in this turn of the event loop. */
function endOfTurn(): Promise<void> {
  return new Promise((resolve) => {
    queueMicrotask(resolve)
  })
}
