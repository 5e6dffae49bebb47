/**
 * Many simulated devices in one process, started a few at a time, and what became of them.
 * Invariant: every device that was started is stopped; an outcome is counted once.
 */

import type { Clock } from '../../base/clock.js'
import { silentLogger } from '../../base/logger.js'
import { clientIdOf, type Topics } from '../../protocol/topics.js'
import type { ConnectionOptions } from '../../transport/connection-options.js'
import { SimulatedDevice, type SimulatedOutcome, type SimulationOptions } from './simulated-device.js'

/** Where the devices live. */
export interface FleetPlace {
  readonly topics: Topics
  readonly clock: Clock
  /** Settings of each connection; the client id is replaced. */
  readonly connection: ConnectionOptions
  /** Names are `PREFIX-00001` and so on, from this number. */
  readonly prefix: string
  readonly firstNumber: number
}

/** How the devices are doing. */
export interface FleetFigures {
  readonly devices: number
  readonly online: number
  readonly committed: number
  readonly refused: number
  readonly failed: number
  readonly fetchedBytes: number
  readonly fetchedChunks: number
  readonly wrongChunks: number
  readonly repeatedRequests: number
  readonly reconnects: number
  /** From wish to end of each ended deployment, milliseconds: median, and the slowest. */
  readonly tookMsP50: number
  readonly tookMsMax: number
  /** The most frequent errors, by code. */
  readonly errors: Readonly<Record<string, number>>
}

/** Devices that connect at the same time: a broker's queue of new connections is short. */
const connectingAtOnce = 64

/** How long the first may take: when it cannot connect, the others need not try. */
const firstLimitMs = 15_000

export class SimulatedFleet {
  readonly devices: readonly SimulatedDevice[]
  readonly outcomes: SimulatedOutcome[] = []
  readonly #clock: Clock

  constructor(count: number, place: FleetPlace, options: SimulationOptions) {
    const { topics, clock, connection, prefix, firstNumber } = place
    this.#clock = clock
    const ports = {
      topics,
      clock,
      logger: silentLogger,
      onOutcome: (outcome: SimulatedOutcome) => {
        this.outcomes.push(outcome)
      },
    }
    this.devices = Array.from({ length: count }, (_, index) => {
      const name = `${prefix}-${String(firstNumber + index).padStart(5, '0')}`
      return new SimulatedDevice(
        name,
        { ...connection, clientId: clientIdOf(name) },
        options,
        ports,
        firstNumber + index,
      )
    })
  }

  /**
   * Starts the devices and waits until each is online, or for `limitMs` in all. Returns how many are online.
   * Throws `network.*` when the first cannot reach the broker.
   */
  async start(limitMs: number, signal: AbortSignal): Promise<number> {
    const deadlineMs = this.#clock.monotonicMs() + limitMs
    const isOver = (): boolean => signal.aborted || this.#clock.monotonicMs() >= deadlineMs
    const waiting = this.devices.values()
    const first = this.devices[0]
    await first?.connection.start()
    await first?.connection.requireOnline(Math.min(limitMs, firstLimitMs), signal)
    const lane = async (): Promise<void> => {
      for (const device of waiting) {
        if (isOver()) return
        await device.start()
        while (!device.connection.isOnline && !isOver()) await this.#clock.sleep(20)
      }
    }
    await Promise.all(Array.from({ length: connectingAtOnce }, lane))
    return this.figures().online
  }

  figures(): FleetFigures {
    const count = (result: SimulatedOutcome['result']): number =>
      this.outcomes.filter((outcome) => outcome.result === result).length
    const sum = (pick: (outcome: SimulatedOutcome) => number): number =>
      this.outcomes.reduce((total, outcome) => total + pick(outcome), 0)
    const times = this.outcomes.map(({ tookMs }) => tookMs).sort((a, b) => a - b)
    const errors: Record<string, number> = {}
    for (const { error } of this.outcomes)
      if (error !== undefined) errors[error.code] = (errors[error.code] ?? 0) + 1
    return {
      devices: this.devices.length,
      online: this.devices.filter(({ connection }) => connection.isOnline).length,
      committed: count('committed'),
      refused: count('refused'),
      failed: count('failed'),
      fetchedBytes: sum(({ fetchedBytes }) => fetchedBytes),
      fetchedChunks: sum(({ fetchedChunks }) => fetchedChunks),
      wrongChunks: sum(({ wrongChunks }) => wrongChunks),
      repeatedRequests: sum(({ repeatedRequests }) => repeatedRequests),
      reconnects: this.devices.reduce((total, { connection }) => total + connection.stats().reconnects, 0),
      tookMsP50: times[Math.floor(times.length / 2)] ?? 0,
      tookMsMax: times.at(-1) ?? 0,
      errors,
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.stop()))
  }
}
