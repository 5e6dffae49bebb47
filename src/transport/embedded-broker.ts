/**
 * A small MQTT 3.1.1 broker inside this process, for demonstrations and tests; a fleet runs a real one.
 * Invariant: listens on loopback unless told otherwise; retained messages live in memory, within a bound.
 */

import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Aedes } from 'aedes'
import { AgentError, messageOf } from '../base/errors.js'
import type { Service } from '../base/lifecycle.js'
import { acceptWebSocket } from './web-socket-stream.js'

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
  /** Port of a listener for MQTT over WebSocket, 0 for a free one; there is none unless given. Pages of this machine may use it. */
  readonly webSocketPort?: number
  /** Whether a client with these credentials may connect; everybody unless given. */
  readonly authenticate?: (username: string | undefined, password: string | undefined) => boolean
}

export class EmbeddedBroker implements Service {
  readonly name = 'embedded broker'
  readonly #options: EmbeddedBrokerOptions
  readonly #sockets = new Set<Duplex>()
  readonly #webSockets = new Set<Duplex>()
  readonly #retainedBytes = new Map<string, number>()
  #retainedTotalBytes = 0
  #server: Server | undefined
  #webServer: HttpServer | undefined
  #broker: Aedes | undefined

  constructor(options: EmbeddedBrokerOptions = {}) {
    this.#options = options
  }

  /** Throws `network.broker_unreachable` when the address cannot be used. */
  async start(): Promise<void> {
    const { authenticate, port = 0, webSocketPort } = this.#options
    // Only who starts a broker loads it: no command of a device does.
    const { Aedes: Broker } = await import('aedes')
    const broker = await Broker.createBroker({
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
    this.#broker = broker
    this.#server = createServer((socket) => {
      this.#keep(socket)
      socket.setNoDelay(true)
      broker.handle(socket)
    })
    await this.#listen(this.#server, port)
    if (webSocketPort !== undefined) {
      this.#webServer = this.#webSocketServer(broker)
      await this.#listen(this.#webServer, webSocketPort)
    }
  }

  #webSocketServer(broker: Aedes): HttpServer {
    const server = createHttpServer((_request, response) => {
      response.writeHead(426, { upgrade: 'websocket' }).end()
    })
    server.on('connection', (socket) => {
      this.#keep(socket)
    })
    server.on('upgrade', (request, socket, head) => {
      const stream = acceptWebSocket(request, socket, head)
      if (stream === undefined) return
      this.#webSockets.add(stream)
      stream.once('close', () => this.#webSockets.delete(stream))
      broker.handle(stream)
    })
    return server
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  async #listen(server: Server, port: number): Promise<void> {
    const { host = '127.0.0.1', connectionsMax = 256 } = this.#options
    server.maxConnections = connectionsMax
    await new Promise<void>((resolve, reject) => {
      server.once('error', (thrown) => {
        const problem = `cannot listen on ${host}:${port}: ${messageOf(thrown)}`
        reject(new AgentError('network.broker_unreachable', problem, { cause: thrown }))
      })
      server.listen(port, host, resolve)
    })
  }

  /** Where clients connect to, such as `mqtt://127.0.0.1:40123`. Only after start. */
  get url(): string {
    return `mqtt://${addressOf(this.#server)}`
  }

  /** Where pages connect to, such as `ws://127.0.0.1:40124`. Only after a start with `webSocketPort`. */
  get webSocketUrl(): string {
    return `ws://${addressOf(this.#webServer)}`
  }

  /** How many clients are connected over WebSocket. */
  get webSocketCount(): number {
    return this.#webSockets.size
  }

  /** Cuts every connection; clients notice at once. For trials of what happens then. */
  disconnectAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async stop(): Promise<void> {
    const servers = [this.#server, this.#webServer].filter((server) => server !== undefined)
    const broker = this.#broker
    this.#server = undefined
    this.#webServer = undefined
    this.#broker = undefined
    const closed = servers.map(
      (server) =>
        new Promise((resolve) => {
          server.close(resolve)
        }),
    )
    if (broker !== undefined)
      await new Promise<void>((resolve) => {
        broker.close(resolve)
      })
    this.disconnectAll()
    await Promise.all(closed)
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

function addressOf(server: Server | undefined): string {
  const address = server?.address() as AddressInfo | null | undefined
  if (address === null || address === undefined)
    throw new AgentError(
      'internal.invariant_broken',
      'the address of an embedded broker exists after its start',
    )
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `${host}:${address.port}`
}
