/**
 * A broker on loopback that differs from others in a way that fleets meet: it gives no retained message to wildcards (RabbitMQ),
 * or shows what is retained a while after it has acknowledged it (the nodes of a NATS cluster).
 * Invariant: in everything else it is aedes.
 */

import type { Readable } from 'node:stream'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { Aedes } from 'aedes'
import type { Teardowns } from './processes.js'

export interface OddBrokerOptions {
  /** Retained messages come only to subscriptions of their own topic. */
  readonly isBlindToWildcards?: boolean
  /** How long after its acknowledgement a retained message is shown, milliseconds. */
  readonly shownAfterMs?: number
}

/** The part of the broker's memory that is changed; its types leave it out. */
interface Persistence {
  storeRetained: (packet: unknown) => Promise<void>
  createRetainedStreamCombi: (filters: readonly string[]) => Readable
}

/** Starts one that ends with the test; returns its address. */
export async function startOddBroker(
  t: Teardowns,
  { isBlindToWildcards = false, shownAfterMs = 0 }: OddBrokerOptions,
): Promise<string> {
  const broker = await Aedes.createBroker({ maxClientsIdLength: 128 })
  const { persistence } = broker as unknown as { readonly persistence: Persistence }
  if (isBlindToWildcards) {
    const all = persistence.createRetainedStreamCombi.bind(persistence)
    persistence.createRetainedStreamCombi = (filters) => all(filters.filter((filter) => !/[+#]/.test(filter)))
  }
  if (shownAfterMs > 0) {
    const store = persistence.storeRetained.bind(persistence)
    persistence.storeRetained = (packet) => {
      setTimeout(() => void store(packet), shownAfterMs).unref()
      return Promise.resolve()
    }
  }
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    broker.handle(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    await new Promise<void>((resolve) => {
      broker.close(resolve)
    })
    for (const socket of sockets) socket.destroy()
    await closed
  })
  return `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`
}
