/**
 * What all devices of a fleet say of themselves and what channels are told, as the broker holds it.
 * Where the broker gives no retained messages for wildcards, devices are those that are listed, and those that are heard while
 * this listens; each is asked for by its own topics.
 * Invariant: what was not read to its end is named; it never looks like a fleet without devices.
 */

import { systemClock } from '../../base/clock.js'
import { isAgentError } from '../../base/errors.js'
import {
  deviceParts,
  devicePartOf,
  parseIndexPart,
  versionsPart,
  wishesPart,
  wishTargetIn,
} from '../../protocol/fleet-index.js'
import { type DeviceStateKind, parseTopic } from '../../protocol/topics.js'
import { changeIndex, readIndex, readIndexParts } from '../../transport/index-record.js'
import { type ReadingOptions, readRetained } from '../../transport/retained-reading.js'
import type { FleetConnection } from './fleet-connection.js'

/** What was read of a fleet. */
export interface FleetState {
  /** Messages by topic. */
  readonly messages: ReadonlyMap<string, Uint8Array>
  /** What a person should know of how complete this is; a sentence each, none where it is complete. */
  readonly gaps: readonly string[]
  /** Why the reading ended before its proven end; undefined where it did not. */
  readonly unfinished?: string
}

export interface FleetStateOptions {
  /** How what the broker holds is read. */
  readonly reading?: ReadingOptions
  /** How long devices are listened for where wildcards find none, milliseconds; 12,000 unless given: metrics come every 10 s. */
  readonly listenMs?: number
}

/** Topics that are asked for together. */
const windowTopics = 512

/** Reads the given kinds of state of all devices, and what all channels are told. Throws `network.*`, `protocol.*`. */
export async function readFleetState(
  fleet: FleetConnection,
  kinds: readonly DeviceStateKind[],
  options: FleetStateOptions = {},
): Promise<FleetState> {
  return new FleetReader(fleet, kinds, options).run()
}

class FleetReader {
  readonly #fleet: FleetConnection
  readonly #kinds: readonly DeviceStateKind[]
  readonly #options: FleetStateOptions
  readonly #messages = new Map<string, Uint8Array>()
  readonly #gaps: string[] = []
  #unfinished: string | undefined

  constructor(fleet: FleetConnection, kinds: readonly DeviceStateKind[], options: FleetStateOptions) {
    this.#fleet = fleet
    this.#kinds = kinds
    this.#options = options
  }

  async run(): Promise<FleetState> {
    const { topics } = this.#fleet
    await this.#read([
      ...this.#kinds.map((kind) => topics.stateOfAll(kind)),
      topics.allChannelsDesired(),
      topics.allIndexParts(),
    ])
    const seenParts = this.#takeParts()
    const isBlind = !seenParts.has(versionsPart) && (await this.#list(versionsPart)) !== undefined
    const listed = isBlind ? await this.#listAll() : seenParts
    const devices = new Set(deviceParts.flatMap((part) => [...(listed.get(part) ?? [])]))
    if (isBlind) await this.#listen(devices)
    const channels = (listed.get(wishesPart) ?? [])
      .map(wishTargetIn)
      .filter((target) => target?.kind === 'channel')
    await this.#readUnseen([
      ...[...devices].flatMap((device) => this.#kinds.map((kind) => topics.deviceState(device, kind))),
      ...channels.map((target) => topics.channelDesired(target!.name)),
    ])
    const unfinished = this.#unfinished
    return {
      messages: this.#messages,
      gaps: this.#gaps,
      ...(unfinished !== undefined && { unfinished }),
    }
  }

  async #read(filters: readonly string[], isExact = false): Promise<void> {
    const { messages, unfinished } = await readRetained(this.#fleet.connection, filters, {
      ...this.#options.reading,
      ...(isExact && { isComplete: ({ size }) => size === filters.length }),
    })
    for (const [topic, bytes] of messages) this.#messages.set(topic, bytes)
    if (unfinished === undefined) return
    this.#unfinished ??= unfinished
    this.#gaps.push(`not everything was read: ${unfinished}`)
  }

  async #readUnseen(wanted: readonly string[]): Promise<void> {
    const unseen = wanted.filter((topic) => !this.#messages.has(topic))
    for (let first = 0; first < unseen.length; first += windowTopics)
      await this.#read(unseen.slice(first, first + windowTopics), true)
  }

  /** The parts of the list that came by wildcard; they are taken out of the messages. */
  #takeParts(): Map<string, readonly string[]> {
    const parts = new Map<string, readonly string[]>()
    for (const [topic, bytes] of [...this.#messages]) {
      const parsed = parseTopic(this.#fleet.topics.root, topic)
      if (parsed?.kind !== 'index') continue
      this.#messages.delete(topic)
      parts.set(parsed.part, parseIndexPart(bytes).names)
    }
    return parts
  }

  async #list(part: string): Promise<readonly string[] | undefined> {
    return readIndex(this.#fleet.connection, this.#fleet.topics, part, this.#options.reading)
  }

  async #listAll(): Promise<ReadonlyMap<string, readonly string[]>> {
    const { connection, topics } = this.#fleet
    return readIndexParts(connection, topics, [wishesPart, ...deviceParts], this.#options.reading)
  }

  /** Adds the devices that are heard to `devices`, and to the list of the broker where this account may write it. */
  async #listen(devices: Set<string>): Promise<void> {
    const { connection, topics } = this.#fleet
    const { listenMs = 12_000 } = this.#options
    const heard = new Set<string>()
    const filters = (['metrics', 'availability'] as const).map((kind) => topics.stateOfAll(kind))
    const subscription = connection.subscribe(filters, 0, ({ topic }) => {
      const parsed = parseTopic(topics.root, topic)
      if (parsed !== undefined && 'device' in parsed && !devices.has(parsed.device)) heard.add(parsed.device)
    })
    await systemClock.sleep(listenMs)
    await subscription.close()
    this.#gaps.push(
      `this broker gives no retained messages for wildcards: ${devices.size} devices are listed, ${heard.size} more were heard in ${listenMs / 1000} s; a device that is off and was never seen is missing`,
    )
    await this.#enlist(heard)
    for (const device of heard) devices.add(device)
  }

  async #enlist(heard: ReadonlySet<string>): Promise<void> {
    const { connection, topics } = this.#fleet
    const byPart = new Map<string, string[]>()
    for (const device of heard) {
      const part = devicePartOf(device)
      byPart.set(part, [...(byPart.get(part) ?? []), device])
    }
    for (const [part, names] of byPart) {
      const add = (known: Set<string>): void => {
        for (const name of names) known.add(name)
      }
      try {
        await changeIndex(connection, topics, part, add, { ...this.#options.reading, echoMs: 5000 })
      } catch (thrown) {
        if (!isAgentError(thrown, 'network.message_unkept', 'network.broker_refused')) throw thrown
        this.#gaps.push(`this account may not list them for the next time (${topics.index(part)})`)
        return
      }
    }
  }
}
