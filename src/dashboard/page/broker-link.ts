/**
 * The page's connection to the broker: opens it, opens it again, and says what it is doing. Runs in the page's worker.
 *
 *     connecting -> online -> lost -> connecting ...
 *              \-> refused (credentials: waits for a person)
 *              \-> unreachable -> connecting ...
 *
 * Invariant: at most one client exists; subscriptions are told again after every connect. All subscriptions have QoS 0:
 * brokers drop QoS 1 messages beyond a queue, and a large fleet's retained state is longer than that.
 */

import mqtt, { type MqttClient } from 'mqtt'
import { backoffDelayMs } from '../../base/backoff.js'
import { seededRandom } from '../../base/random.js'
import { isVersionCode, reasonOf } from '../../protocol/reason-codes.js'
import type { Incoming } from '../fleet/inbox.js'
import { MessageSieve } from '../fleet/message-sieve.js'
import { after, wallMs } from './browser-clock.js'
import type { BrokerSettings, LinkState } from './link-messages.js'

const backoff = { firstMs: 1000, capMs: 15_000 }
const connectTimeoutMs = 10_000
/** AWS IoT Core takes no more in one packet. */
const filtersPerSubscribe = 8

interface Listener {
  readonly onMessage: (message: Incoming) => void
  readonly onState: (state: LinkState) => void
}

export class BrokerLink {
  readonly #listener: Listener
  readonly #filters = new Map<string, number>()
  readonly #random = seededRandom(wallMs())
  #client: MqttClient | undefined
  #settings: BrokerSettings | undefined
  #cancelRetry: (() => void) | undefined
  #attempt = 0
  #version: 4 | 5 = 5
  #wasOnline = false

  constructor(listener: Listener) {
    this.#listener = listener
  }

  /** Connects to another broker, or to the same again at once. */
  open(settings: BrokerSettings): void {
    this.#cancelRetry?.()
    this.#dropClient()
    this.#attempt = 0
    this.#wasOnline = false
    this.#settings = settings
    this.#version = 5
    this.#connect()
  }

  /** Listens to `filters` until they are left as often as they were listened to. */
  listen(filters: readonly string[]): void {
    const fresh: string[] = []
    for (const filter of filters) {
      const listeners = this.#filters.get(filter) ?? 0
      this.#filters.set(filter, listeners + 1)
      if (listeners === 0) fresh.push(filter)
    }
    this.#subscribe(fresh)
  }

  leave(filters: readonly string[]): void {
    for (const filter of filters) {
      const left = (this.#filters.get(filter) ?? 1) - 1
      if (left > 0) this.#filters.set(filter, left)
      else {
        this.#filters.delete(filter)
        if (this.#client?.connected === true) this.#client.unsubscribe(filter)
      }
    }
  }

  /** Sends one message now; drops it while offline. */
  send(topic: string, payload: Uint8Array): void {
    if (this.#client?.connected === true) this.#client.publish(topic, payload as Buffer, { qos: 1 })
  }

  #connect(): void {
    const settings = this.#settings
    if (settings === undefined) return
    this.#listener.onState({ kind: 'connecting' })
    let client: MqttClient
    try {
      client = mqtt.connect(settings.url, {
        protocolVersion: this.#version,
        clean: true,
        reconnectPeriod: 0,
        connectTimeout: connectTimeoutMs,
        keepalive: 60,
        resubscribe: false,
        timerVariant: 'native',
        // The client would keep a buffer for each of the 65,536 numbers that it could write one day.
        writeCache: false,
        createWebsocket: (url, protocols) => {
          const socket = new WebSocket(url, protocols)
          siftMessages(socket, this.#version, (message) => {
            if (this.#client === client) this.#listener.onMessage(message)
          })
          return socket
        },
        ...(settings.username !== '' && { username: settings.username, password: settings.password }),
      })
    } catch {
      // An address that the browser refuses, such as ws: on an https: page.
      this.#listener.onState({
        kind: 'refused',
        reason: 'This browser may not open that address from this page.',
      })
      return
    }
    this.#client = client
    let refusedCode: number | undefined
    client.on('connect', () => {
      this.#attempt = 0
      this.#wasOnline = true
      this.#listener.onState({ kind: 'online' })
      this.#subscribe([...this.#filters.keys()])
    })
    // What the sieve did not know for a message, such as one of a higher QoS than was asked for.
    client.on('message', (topic, payload) => {
      this.#listener.onMessage({ topic, payload: new Uint8Array(payload) })
    })
    client.on('error', (thrown) => {
      if ('code' in thrown && typeof thrown.code === 'number') refusedCode = thrown.code
    })
    client.on('close', () => {
      if (this.#client !== client) return
      this.#dropClient()
      this.#afterClose(refusedCode)
    })
  }

  #afterClose(code: number | undefined): void {
    if (isVersionCode(code) && this.#version === 5) {
      this.#version = 4
      this.#connect()
      return
    }
    if (code !== undefined && reasonOf(code).isLasting) {
      const { reason, hint } = reasonOf(code)
      const advice = hint === undefined ? '' : ` ${hint}.`
      this.#listener.onState({ kind: 'refused', reason: `The broker refused: ${reason}.${advice}` })
      return
    }
    const delayMs = backoffDelayMs(this.#attempt++, backoff, this.#random)
    this.#listener.onState({
      kind: this.#wasOnline ? 'lost' : 'unreachable',
      retryAtMs: wallMs() + delayMs,
    })
    this.#cancelRetry = after(delayMs, () => {
      this.#connect()
    })
  }

  #subscribe(filters: string[]): void {
    if (this.#client?.connected !== true) return
    for (let first = 0; first < filters.length; first += filtersPerSubscribe)
      this.#client.subscribe(filters.slice(first, first + filtersPerSubscribe), { qos: 0 })
  }

  #dropClient(): void {
    const client = this.#client
    this.#client = undefined
    if (client === undefined) return
    client.removeAllListeners('message')
    client.end(true)
  }
}

/** Hears the messages that come over `socket`, before who listens to it later and gets to hear only the rest. */
function siftMessages(socket: WebSocket, version: 4 | 5, onMessage: (message: Incoming) => void): void {
  const sieve = new MessageSieve(version, onMessage)
  socket.addEventListener('message', (event: MessageEvent<unknown>) => {
    // Not trusted are the events that are made here.
    if (!event.isTrusted || !(event.data instanceof ArrayBuffer)) return
    event.stopImmediatePropagation()
    for (const packet of sieve.sift(new Uint8Array(event.data)))
      socket.dispatchEvent(new MessageEvent('message', { data: packet.slice().buffer }))
  })
}
