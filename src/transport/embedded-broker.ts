/**
 * A small MQTT 3.1.1 broker inside this process, for demonstrations and tests; a fleet runs a real one.
 * Invariant: listens on loopback unless told otherwise; retained messages live in memory, within a bound.
 */

import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { Aedes } from 'aedes'
import { AgentError, messageOf } from '../base/errors.js'
import type { Service } from '../base/lifecycle.js'

export interface EmbeddedBrokerOptions {
  /** Address to listen on; 127.0.0.1 unless given. */
  readonly host?: string
  /** Port; a free one unless given. */
  readonly port?: number
  /** Largest message; 1 MiB unless given. A client that sends a larger one is disconnected. */
  readonly messageBytesMax?: number
  /** Sum of all retained messages; 512 MiB unless given. */
  readonly retainedBytesMax?: number
  readonly connectionsMax?: number
  /** Whether a client with these credentials may connect; everybody unless given. */
  readonly authenticate?: (username: string | undefined, password: string | undefined) => boolean
}

export class EmbeddedBroker implements Service {
  readonly name = 'embedded broker'
  readonly #options: EmbeddedBrokerOptions
  readonly #sockets = new Set<Socket>()
  readonly #retainedBytes = new Map<string, number>()
  #retainedTotalBytes = 0
  #server: Server | undefined
  #broker: Aedes | undefined

  constructor(options: EmbeddedBrokerOptions = {}) {
    this.#options = options
  }

  /** Throws `network.broker_unreachable` when the address cannot be used. */
  async start(): Promise<void> {
    const { authenticate, host = '127.0.0.1', port = 0, connectionsMax = 256 } = this.#options
    const broker = await Aedes.createBroker({
      maxClientsIdLength: 128,
      authorizePublish: (_client, packet, done) => {
        done(this.#admit(packet.topic, packet.payload.length, packet.retain))
      },
      ...(authenticate !== undefined && {
        authenticate: (_client, username, password, done) => {
          if (authenticate(username, password?.toString())) done(null, true)
          else done(Object.assign(new TypeError('wrong credentials'), { returnCode: 4 }), null)
        },
      }),
    })
    const server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      socket.once('close', () => this.#sockets.delete(socket))
      broker.handle(socket)
    })
    server.maxConnections = connectionsMax
    await new Promise<void>((resolve, reject) => {
      server.once('error', (thrown) => {
        const problem = `cannot listen on ${host}:${port}: ${messageOf(thrown)}`
        reject(new AgentError('network.broker_unreachable', problem, { cause: thrown }))
      })
      server.listen(port, host, resolve)
    })
    this.#server = server
    this.#broker = broker
  }

  /** Where clients connect to, such as `mqtt://127.0.0.1:40123`. Only after start. */
  get url(): string {
    const address = this.#server?.address() as AddressInfo | null | undefined
    if (address === null || address === undefined) {
      throw new AgentError(
        'internal.invariant_broken',
        'the address of an embedded broker exists after its start',
      )
    }
    const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
    return `mqtt://${host}:${address.port}`
  }

  /** Cuts every connection; clients notice at once. For trials of what happens then. */
  disconnectAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async stop(): Promise<void> {
    const server = this.#server
    const broker = this.#broker
    this.#server = undefined
    this.#broker = undefined
    if (server === undefined || broker === undefined) return
    const closed = new Promise<void>((resolve) => {
      server.close(() => {
        resolve()
      })
    })
    await new Promise<void>((resolve) => {
      broker.close(resolve)
    })
    this.disconnectAll()
    await closed
  }

  #admit(topic: string, sizeBytes: number, isRetained: boolean): Error | null {
    const { messageBytesMax = 1024 ** 2, retainedBytesMax = 512 * 1024 ** 2 } = this.#options
    if (sizeBytes > messageBytesMax) return new RangeError('message too large')
    if (!isRetained) return null
    const grownBytes = this.#retainedTotalBytes + sizeBytes - (this.#retainedBytes.get(topic) ?? 0)
    if (grownBytes > retainedBytesMax) return new RangeError('no room for another retained message')
    this.#retainedTotalBytes = grownBytes
    if (sizeBytes === 0) this.#retainedBytes.delete(topic)
    else this.#retainedBytes.set(topic, sizeBytes)
    return null
  }
}
