/**
 * One network connection to a broker: the only file that talks to mqtt.js.
 * A session never comes back: after it closes, a new one is opened. So nothing of a broken connection (packet ids, stores,
 * half-parsed bytes) outlives it, and every call of a broken session has an outcome.
 * Invariant: whatever the broker sends, the worst is that the session closes.
 */

import { type Duplex, Transform } from 'node:stream'
import { connect, Store } from 'mqtt'
import type { IClientOptions, IClientPublishOptions, IPublishPacket, MqttClient } from 'mqtt'
import type { Clock } from '../base/clock.js'
import { collectRecentGarbage } from '../base/collect-garbage.js'
import { AgentError } from '../base/errors.js'
import { announcedLimits, type BrokerLimits } from './broker-limits.js'
import { fillLengthCache } from './length-cache.js'
import { type ArrivalListener, ArrivalMeter } from './arrival-meter.js'
import { connectionError, isLastingRefusal, isVersionRefusal, reasonCodeOf } from './connection-error.js'
import type { BrokerAddress, ResolvedOptions } from './connection-options.js'
import { SizeSieve } from './size-sieve.js'

/** A message that arrived. */
export interface IncomingMessage {
  readonly topic: string
  /** May be kept, never written: a view into a buffer that was received for it and its neighbours. */
  readonly payload: Uint8Array
  /** Whether the broker kept it from before the subscription. */
  readonly isRetained: boolean
  /** MQTT 5 only. */
  readonly responseTopic?: string
  readonly correlation?: Uint8Array
}

/** How a message is sent. */
export interface PublishOptions {
  readonly qos: 0 | 1
  readonly retain?: boolean
  /** Seconds after which the broker forgets it; MQTT 5 only. */
  readonly expiryS?: number
  /** MQTT 5 only. */
  readonly responseTopic?: string
  readonly correlation?: Uint8Array
}

/** What became of a message: with QoS 0 `sent` means handed to the network, with QoS 1 acknowledged by the broker. */
export type PublishOutcome =
  | { readonly status: 'sent' }
  /** There is no connection, or it ended before the broker acknowledged the message: then with the reason. */
  | { readonly status: 'offline'; readonly error?: AgentError }
  | { readonly status: 'dropped'; readonly reason: DropReason }
  | { readonly status: 'refused'; readonly reasonCode: number }

/** Why a message was not sent: too much waits already, or the broker has announced that it does not take such a one. */
export type DropReason = 'queue_full' | 'too_large' | 'retain_unavailable' | 'qos_unavailable'

/** What became of a subscription: `refused` names the filters that the broker did not grant. */
export type SubscribeOutcome =
  | { readonly status: 'granted' }
  | { readonly status: 'refused'; readonly filters: readonly string[] }
  | { readonly status: 'offline' }

export interface MqttSession {
  readonly protocolVersion: 4 | 5
  readonly limits: BrokerLimits
  /** Resolves once, when the connection is gone, with the reason. */
  readonly closed: Promise<AgentError>
  publish(topic: string, payload: Uint8Array | string, options: PublishOptions): Promise<PublishOutcome>
  subscribe(filters: readonly string[], qos: 0 | 1): Promise<SubscribeOutcome>
  unsubscribe(filters: readonly string[]): Promise<void>
  /** Resolves when the broker has answered a packet that is sent now; with false when the connection goes first. */
  roundTrip(): Promise<boolean>
  /** Hangs up without a goodbye. */
  abandon(): void
  /** Says goodbye, or after `limitMs` just hangs up. */
  close(limitMs: number): Promise<void>
}

/** What became of an attempt to connect. */
export type OpenOutcome =
  | { readonly status: 'open'; readonly session: MqttSession }
  | {
      readonly status: 'failed'
      readonly error: AgentError
      /** The broker, or what sits in its place, does not speak this version. */
      readonly isVersionRefused: boolean
      /** Asking again will not help. */
      readonly isLasting: boolean
    }

function clientOptions(
  options: ResolvedOptions,
  address: BrokerAddress,
  protocolVersion: 4 | 5,
): IClientOptions {
  const { tls, availabilityTopic } = options
  return {
    // A store that is emptied on close is read once more by packets that were already parsed, and ends the process.
    incomingStore: new Store({ clean: false }),
    outgoingStore: new Store({ clean: false }),
    clientId: options.clientId,
    protocolVersion,
    protocolId: 'MQTT',
    clean: options.cleanStart,
    // A table of 65,536 buffers, one for each number of two bytes: 12 MB to save an allocation of two bytes.
    writeCache: false,
    keepalive: options.keepaliveS,
    connectTimeout: options.connectTimeoutMs,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    // The client puts an address together anew, and loses the brackets of an IPv6 address on the way.
    transformWsUrl: () => address.url,
    ...(options.username !== undefined && { username: options.username }),
    ...(options.password !== undefined && { password: options.password }),
    ...(tls?.ca !== undefined && { ca: tls.ca }),
    ...(tls?.cert !== undefined && { cert: tls.cert }),
    ...(tls?.key !== undefined && { key: tls.key }),
    rejectUnauthorized: tls?.insecure !== true,
    ...(availabilityTopic !== undefined && {
      will: { topic: availabilityTopic, payload: Buffer.from('offline'), qos: 1 as const, retain: true },
    }),
    ...(protocolVersion === 5 && {
      properties: {
        maximumPacketSize: options.packetBytesMax,
        ...(!options.cleanStart && { sessionExpiryInterval: options.sessionExpiryS }),
      },
    }),
  }
}

function incomingMessage(topic: string, payload: Uint8Array, packet: IPublishPacket): IncomingMessage {
  const { responseTopic, correlationData } = packet.properties ?? {}
  return {
    topic,
    payload,
    isRetained: packet.retain,
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationData !== undefined && { correlation: correlationData }),
  }
}

function publishOptions(options: PublishOptions, protocolVersion: 4 | 5): IClientPublishOptions {
  const { qos, retain = false, expiryS, responseTopic, correlation } = options
  if (protocolVersion === 4) return { qos, retain }
  return {
    qos,
    retain,
    properties: {
      ...(expiryS !== undefined && { messageExpiryInterval: expiryS }),
      ...(responseTopic !== undefined && { responseTopic }),
      ...(correlation !== undefined && { correlationData: Buffer.from(correlation) }),
    },
  }
}

/** Turns Nagle's algorithm off where the transport is TCP: small packets must not wait for acknowledgements. */
function setNoDelay(client: MqttClient): void {
  const stream: unknown = client.stream
  const isSocket = typeof stream === 'object' && stream !== null && 'setNoDelay' in stream
  if (isSocket && typeof stream.setNoDelay === 'function')
    (stream as { setNoDelay(on: boolean): void }).setNoDelay(true)
}

/** Nobody ever listens to it: a broker answers that it may be forgotten. */
const unusedFilter = 'yolo-edge/round-trip'

/** Room for topic, properties and header around a payload. */
const packetOverheadBytes = 1024

class Session implements MqttSession {
  readonly protocolVersion: 4 | 5
  readonly closed: Promise<AgentError>
  readonly #client: MqttClient
  readonly #clock: Clock
  readonly #outgoingBytesMax: number
  readonly limits: BrokerLimits
  /** Ends the calls that wait for the broker. */
  readonly #calls = new Set<(error: AgentError) => void>()
  #pendingBytes = 0
  #isClosed = false
  #unacknowledged = 0
  #acknowledgedAtMs = 0
  /** Messages that the broker has not acknowledged: at most as many as it takes at once, which the client does not look after. */
  #inFlight = 0
  /** Sends the messages behind those, in their order. */
  readonly #waiting: (() => void)[] = []

  constructor(client: MqttClient, closed: Promise<AgentError>, version: 4 | 5, limits: SessionLimits) {
    this.#client = client
    this.closed = closed
    this.protocolVersion = version
    this.#clock = limits.clock
    this.#outgoingBytesMax = limits.outgoingBytesMax
    this.limits = announcedLimits(client)
    const unwatch = limits.clock.every(limits.acknowledgeTimeoutMs / 4, () => {
      const silentMs = limits.clock.monotonicMs() - this.#acknowledgedAtMs
      if (this.#unacknowledged > 0 && silentMs >= limits.acknowledgeTimeoutMs)
        limits.hangUp(`nothing was acknowledged for ${(silentMs / 1000).toFixed(0)} s`)
    })
    void closed.then((error) => {
      this.#isClosed = true
      unwatch()
      for (const end of this.#calls) end(error)
      this.#calls.clear()
      this.#waiting.length = 0
    })
  }

  async publish(
    topic: string,
    payload: Uint8Array | string,
    options: PublishOptions,
  ): Promise<PublishOutcome> {
    if (this.#isClosed) return { status: 'offline' }
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : asBuffer(payload)
    const unavailable = this.#refusalOf(bytes.byteLength, options)
    if (unavailable !== undefined) return { status: 'dropped', reason: unavailable }
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes.byteLength > this.#outgoingBytesMax) {
      return { status: 'dropped', reason: 'queue_full' }
    }
    this.#pendingBytes += bytes.byteLength
    if (this.#unacknowledged++ === 0) this.#acknowledgedAtMs = this.#clock.monotonicMs()
    const acknowledged = new Promise<PublishOutcome>((resolve) => {
      this.#send(topic, bytes, options, (error) => {
        const outcome = publishOutcome(error)
        if (outcome.status !== 'offline') resolve(outcome)
        // The client says only that it is over; why, the end of the connection tells.
        else
          void this.closed.then((reason) => {
            resolve({ status: 'offline', error: reason })
          })
      })
    })
    const outcome = await this.#beforeClose(acknowledged, (error) => ({ status: 'offline', error }) as const)
    this.#pendingBytes -= bytes.byteLength
    this.#unacknowledged--
    this.#acknowledgedAtMs = this.#clock.monotonicMs()
    return outcome
  }

  /** Sends a message when the broker takes it; `onEnd` gets what the client says of it. */
  #send(topic: string, bytes: Buffer, options: PublishOptions, onEnd: (error?: Error) => void): void {
    const publish = (onAnswer: (error?: Error) => void): void => {
      this.#client.publish(topic, bytes, publishOptions(options, this.protocolVersion), onAnswer)
    }
    if (options.qos === 0) {
      publish(onEnd)
      return
    }
    const send = (): void => {
      this.#inFlight++
      publish((error) => {
        this.#inFlight--
        this.#waiting.shift()?.()
        onEnd(error)
      })
    }
    if (this.#inFlight < this.limits.receiveMax) send()
    else this.#waiting.push(send)
  }

  async subscribe(filters: readonly string[], qos: 0 | 1): Promise<SubscribeOutcome> {
    if (this.#isClosed) return { status: 'offline' }
    const granted = new Promise<SubscribeOutcome>((resolve) => {
      this.#client.subscribe([...filters], { qos }, (error, _grants, packet) => {
        const codes = packet?.granted ?? []
        const refused = filters.filter((_filter, index) => Number(codes[index] ?? 0) >= 128)
        if (refused.length > 0) resolve({ status: 'refused', filters: refused })
        else resolve({ status: error === null ? 'granted' : 'offline' })
      })
    })
    return this.#beforeClose(granted, () => ({ status: 'offline' }) as const)
  }

  async unsubscribe(filters: readonly string[]): Promise<void> {
    await this.#forget(filters)
  }

  roundTrip(): Promise<boolean> {
    return this.#forget([unusedFilter])
  }

  async #forget(filters: readonly string[]): Promise<boolean> {
    if (this.#isClosed) return false
    const done = new Promise<boolean>((resolve) => {
      this.#client.unsubscribe([...filters], () => {
        resolve(true)
      })
    })
    return this.#beforeClose(done, () => false)
  }

  /** Why the broker would not take such a message, by its own word. */
  #refusalOf(sizeBytes: number, { qos, retain }: PublishOptions): DropReason | undefined {
    if (sizeBytes + packetOverheadBytes > this.limits.packetBytesMax) return 'too_large'
    if (retain === true && !this.limits.keepsRetained) return 'retain_unavailable'
    return qos > this.limits.qosMax ? 'qos_unavailable' : undefined
  }

  abandon(): void {
    this.#client.end(true)
    this.#client.stream.destroy()
  }

  async close(limitMs: number): Promise<void> {
    const timer = new AbortController()
    const limit = this.#clock.sleep(limitMs, timer.signal)
    this.#client.end(false)
    await Promise.race([this.closed, limit])
    timer.abort()
    this.#client.end(true)
    this.#client.stream.destroy()
  }

  /** `work`, or `instead` when the connection goes first: a broken connection leaves no call hanging. */
  #beforeClose<T>(work: Promise<T>, instead: (error: AgentError) => T): Promise<T> {
    return new Promise((resolve) => {
      const end = (error: AgentError): void => {
        resolve(instead(error))
      }
      // A race with `closed` would leave something behind in it for every message of the session.
      this.#calls.add(end)
      void work.then((outcome) => {
        this.#calls.delete(end)
        resolve(outcome)
      })
    })
  }
}

interface SessionLimits {
  readonly clock: Clock
  readonly outgoingBytesMax: number
  readonly acknowledgeTimeoutMs: number
  /** Ends the connection for `reason`. */
  hangUp(reason: string): void
}

function asBuffer(payload: Uint8Array): Buffer {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
}

function publishOutcome(error: unknown): PublishOutcome {
  if (error === undefined || error === null) return { status: 'sent' }
  const reasonCode = reasonCodeOf(error)
  return reasonCode === undefined ? { status: 'offline' } : { status: 'refused', reasonCode }
}

function sieveOf(
  { payloadBytesMaxOf }: ResolvedOptions,
  version: 4 | 5,
  onOversized: (topic: string, sizeBytes: number) => void,
): SizeSieve | undefined {
  return payloadBytesMaxOf && new SizeSieve({ version, bytesMaxOf: payloadBytesMaxOf, onOversized })
}

/** The part of the client that opens its stream; its types hide it. */
interface StreamOpener {
  streamBuilder: (client: MqttClient) => Duplex
}

/** What is thrown away lies in buffers outside the heap, of which V8 would let tens of megabytes pile up. */
const collectPeriodBytes = 4 * 1024 ** 2

/** Makes `client`, which has not connected yet, read what the broker sends through `sieve`. */
function readThrough(client: MqttClient, sieve: SizeSieve): void {
  const opener = client as unknown as StreamOpener
  const open = opener.streamBuilder
  opener.streamBuilder = (of) => {
    const stream = open(of)
    const pipe = stream.pipe.bind(stream)
    let collectedAtBytes = 0
    const sifted = new Transform({
      transform(bytes: Buffer, _encoding, done) {
        for (const piece of sieve.sift(bytes)) this.push(piece)
        if (sieve.droppedBytes - collectedAtBytes >= collectPeriodBytes) {
          collectedAtBytes = sieve.droppedBytes
          collectRecentGarbage()
        }
        done()
      },
    })
    // The client reads its stream by one call of pipe.
    stream.pipe = (target, pipeOptions) => {
      pipe(sifted)
      return sifted.pipe(target, pipeOptions)
    }
    return stream
  }
}

/** Who hears what a session receives. */
export interface SessionListener {
  readonly onMessage: (message: IncomingMessage) => void
  /** Bytes of a message, while it arrives. */
  readonly onArrival: ArrivalListener
  /** A message over the limit of its topic, which was kept out of memory. */
  readonly onOversized: (topic: string, sizeBytes: number) => void
}

/**
 * Tries once to connect. Never rejects; the attempt ends within the connect timeout.
 */
export function openSession(
  options: ResolvedOptions,
  address: BrokerAddress,
  protocolVersion: 4 | 5,
  clock: Clock,
  listener: SessionListener,
): Promise<OpenOutcome> {
  fillLengthCache()
  const sieve = sieveOf(options, protocolVersion, listener.onOversized)
  let client: MqttClient
  try {
    client = connect(address.url, {
      ...clientOptions(options, address, protocolVersion),
      manualConnect: true,
    })
    if (sieve !== undefined) readThrough(client, sieve)
    client.connect()
  } catch (thrown) {
    return Promise.resolve(failedOutcome(address.broker, thrown, protocolVersion))
  }
  const meter = new ArrivalMeter(listener.onArrival)
  client.stream.on('data', (bytes: Uint8Array) => {
    meter.take(bytes)
  })
  let firstError: unknown
  let isOpen = false
  let resolveClosed: (error: AgentError) => void
  const closed = new Promise<AgentError>((resolve) => {
    resolveClosed = resolve
  })
  return new Promise((resolve) => {
    client.on('error', (error) => {
      firstError ??= error
      client.end(true)
      client.stream.destroy()
    })
    client.on('disconnect', (packet) => {
      firstError ??= Object.assign(new TypeError('disconnected by the broker'), { code: packet.reasonCode })
      client.stream.destroy()
    })
    client.on('close', () => {
      client.end(true)
      const end = { broker: address.broker, cause: firstError, wasOpen: isOpen, protocolVersion }
      resolveClosed(connectionError(end))
      resolve(failedOutcome(address.broker, firstError, protocolVersion))
    })
    client.on('message', (topic, payload, packet) => {
      if (sieve?.isMark(payload) !== true) listener.onMessage(incomingMessage(topic, payload, packet))
    })
    client.once('connect', () => {
      isOpen = true
      setNoDelay(client)
      const limits: SessionLimits = {
        clock,
        outgoingBytesMax: options.outgoingBytesMax,
        acknowledgeTimeoutMs: options.acknowledgeTimeoutMs,
        hangUp: (reason) => {
          firstError ??= new TypeError(reason)
          client.stream.destroy()
        },
      }
      resolve({ status: 'open', session: new Session(client, closed, protocolVersion, limits) })
    })
  })
}

/** `cause` is undefined where the other side closed the connection without a word, as brokers do on an unknown version. */
function failedOutcome(
  broker: string,
  cause: unknown,
  protocolVersion: 4 | 5,
): Extract<OpenOutcome, { status: 'failed' }> {
  return {
    status: 'failed',
    error: connectionError({ broker, cause, wasOpen: false, protocolVersion }),
    isVersionRefused: isVersionRefusal(cause) || cause === undefined,
    isLasting: isLastingRefusal(cause),
  }
}
