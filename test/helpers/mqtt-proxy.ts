/**
 * A bad link between MQTT clients and a broker: slow, or losing whole messages, and watched.
 * It reads the packets' borders only, so it carries MQTT 3.1.1 and 5 alike.
 * Invariant: what is not a lost PUBLISH goes through byte for byte and in order.
 */

import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { seededRandom } from '../../src/base/random.js'

export interface MqttProxyOptions {
  readonly brokerPort: number
  /** Share of the PUBLISH packets, in both directions, that do not arrive; 0 unless given. */
  readonly lostShare?: number
  /** Bytes a second towards the clients, of all together; no limit unless given. */
  readonly bytesPerSecond?: number
  /** A client has subscribed `topic`. */
  readonly onAsked?: (topic: string) => void
  /** The last byte of a message of `topic` went to a client. */
  readonly onDelivered?: (topic: string) => void
}

const packetTypes = { connect: 1, publish: 3, subscribe: 8 } as const
const slicesPerSecond = 50

interface Packet {
  readonly type: number
  readonly bytes: Buffer
  /** Where the part after the fixed header begins. */
  readonly bodyAt: number
}

export class MqttProxy {
  readonly #options: MqttProxyOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #random = seededRandom(1)
  #gate = Promise.resolve()
  /** Messages that did not arrive. */
  lost = 0
  /** Messages of the broker that arrived. */
  delivered = 0

  private constructor(options: MqttProxyOptions) {
    this.#options = options
    this.#server = createServer((client) => {
      this.#relay(client)
    })
  }

  static async start(options: MqttProxyOptions): Promise<MqttProxy> {
    const proxy = new MqttProxy(options)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Lets nothing through to the clients until the returned function is called. */
  stall(): () => void {
    let goOn = (): void => undefined
    this.#gate = new Promise((resolve) => {
      goOn = resolve
    })
    return goOn
  }

  /** Ends every connection; new ones are taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async stop(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #relay(client: Socket): void {
    const broker = connect(this.#options.brokerPort, '127.0.0.1')
    for (const [socket, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
    let version = 4
    eachPacket(client, (packet) => {
      if (packet.type === packetTypes.connect) version = packet.bytes[packet.bodyAt + 6] ?? version
      if (packet.type === packetTypes.subscribe)
        for (const topic of filtersOf(packet, version)) this.#options.onAsked?.(topic)
      if (!this.#isLost(packet)) broker.write(packet.bytes)
    })
    let sending = Promise.resolve()
    eachPacket(broker, (packet) => {
      if (!this.#isLost(packet)) sending = sending.then(() => this.#send(packet, client))
    })
  }

  async #send({ type, bytes, bodyAt }: Packet, client: Socket): Promise<void> {
    const { bytesPerSecond } = this.#options
    const size = bytesPerSecond === undefined ? bytes.length : Math.ceil(bytesPerSecond / slicesPerSecond)
    for (let at = 0; at < bytes.length; at += size) {
      await this.#gate
      if (client.destroyed) return
      const slice = bytes.subarray(at, at + size)
      client.write(slice)
      if (at + size >= bytes.length && type === packetTypes.publish) {
        this.delivered++
        this.#options.onDelivered?.(topicOf({ type, bytes, bodyAt }))
      }
      if (bytesPerSecond !== undefined) await delay((slice.length / bytesPerSecond) * 1000)
    }
  }

  #isLost({ type }: Packet): boolean {
    const isLost = type === packetTypes.publish && this.#random.next() < (this.#options.lostShare ?? 0)
    if (isLost) this.lost++
    return isLost
  }
}

/** Calls `accept` with each whole MQTT packet that comes in through `socket`. */
function eachPacket(socket: Socket, accept: (packet: Packet) => void): void {
  let pieces: Buffer[] = []
  let heldBytes = 0
  let neededBytes = 2
  socket.on('data', (piece) => {
    pieces.push(piece)
    heldBytes += piece.length
    if (heldBytes < neededBytes) return
    let bytes = Buffer.concat(pieces)
    for (let end = packetEnd(bytes); end !== undefined && end.at <= bytes.length; end = packetEnd(bytes)) {
      accept({ type: bytes[0]! >> 4, bytes: bytes.subarray(0, end.at), bodyAt: end.bodyAt })
      bytes = bytes.subarray(end.at)
    }
    pieces = [bytes]
    heldBytes = bytes.length
    neededBytes = packetEnd(bytes)?.at ?? 2
  })
}

/** Where the first packet in `bytes` ends, once its length is known. */
function packetEnd(bytes: Buffer): { readonly at: number; readonly bodyAt: number } | undefined {
  const length = bytes.length < 2 ? undefined : varint(bytes, 1)
  return length === undefined ? undefined : { at: length.end + length.value, bodyAt: length.end }
}

/** A variable byte integer (MQTT 5, 1.5.5). */
function varint(bytes: Buffer, start: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0
  for (let at = start; at < bytes.length; at++) {
    value += (bytes[at]! & 0x7f) * 128 ** (at - start)
    if (bytes[at]! < 0x80) return { value, end: at + 1 }
  }
  return undefined
}

function topicOf({ bytes, bodyAt }: Packet): string {
  return bytes.toString('utf8', bodyAt + 2, bodyAt + 2 + bytes.readUInt16BE(bodyAt))
}

function filtersOf({ bytes, bodyAt }: Packet, version: number): readonly string[] {
  const afterId = bodyAt + 2
  const properties = version >= 5 ? varint(bytes, afterId) : undefined
  const filters: string[] = []
  let at = properties === undefined ? afterId : properties.end + properties.value
  while (at + 2 <= bytes.length) {
    const end = at + 2 + bytes.readUInt16BE(at)
    filters.push(bytes.toString('utf8', at + 2, end))
    at = end + 1
  }
  return filters
}
