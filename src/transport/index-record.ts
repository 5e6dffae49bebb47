/**
 * Reads and changes the list of what is on a broker.
 * MQTT has no way to change a message only if nobody else has: a writer listens from before it reads until its own message
 * comes back. The broker hands out the messages of one topic in one order, so whoever overwrites the change of another sees it
 * come between what it had read and what it wrote. Each message says what it changed, so the one who overwrote it makes that
 * change again along with its own, until a message of its own has overwritten nothing unseen.
 * Invariant: a change that was reported as made is in the list, whoever else changes it at the same time, unless a writer that
 * has overwritten it dies before it writes once more.
 */

import { randomBytes } from 'node:crypto'
import { type Clock, systemClock } from '../base/clock.js'
import { AgentError, wrapError } from '../base/errors.js'
import { encodeIndexPart, type IndexPart, parseIndexPart } from '../protocol/fleet-index.js'
import type { Topics } from '../protocol/topics.js'
import type { MqttConnection, Subscription } from './mqtt-connection.js'
import { publishRetained } from './publish-retained.js'
import { type ReadingOptions, readRetained, requireFinished } from './retained-reading.js'

/** The names that a part lists; undefined where the broker has no such part. Throws `network.*`, `protocol.*`. */
export async function readIndex(
  connection: MqttConnection,
  topics: Topics,
  part: string,
  options: ReadingOptions = {},
): Promise<readonly string[] | undefined> {
  return (await readIndexParts(connection, topics, [part], options)).get(part)
}

/** The names that each of `parts` lists, of those that the broker has. Throws `network.*`, `protocol.*`. */
export async function readIndexParts(
  connection: MqttConnection,
  topics: Topics,
  parts: readonly string[],
  options: ReadingOptions = {},
): Promise<ReadonlyMap<string, readonly string[]>> {
  const byTopic = new Map(parts.map((part) => [topics.index(part), part]))
  const reading = await readRetained(connection, [...byTopic.keys()], {
    ...options,
    isComplete: ({ size }) => size === byTopic.size,
  })
  const messages = requireFinished(reading, 'cannot read the list of what is on the broker')
  return new Map([...messages].map(([topic, bytes]) => [byTopic.get(topic)!, partIn(topic, bytes).names]))
}

function partIn(topic: string, bytes: Uint8Array): IndexPart {
  try {
    return parseIndexPart(bytes)
  } catch (thrown) {
    const problem = `cannot read the list under ${topic}, which names what is on the broker`
    throw new AgentError('protocol.payload_malformed', problem, {
      cause: thrown,
      hint: `Clear it (mosquitto_pub -r -n -t ${topic}) and publish what is in use again, which lists it`,
    })
  }
}

/** How a change is made. */
export interface ChangeOptions extends ReadingOptions {
  /** Time for the broker to hand out what was written, milliseconds; 30,000 unless given. */
  readonly echoMs?: number
}

const roundsMax = 20

/**
 * Changes the names of a part by `change`, which may run several times and each time gets the newest names.
 * Throws `network.message_unkept` when the broker does not hand out what it acknowledged, other `network.*`, and
 * `protocol.payload_oversized` for more names than a message holds.
 */
export async function changeIndex(
  connection: MqttConnection,
  topics: Topics,
  part: string,
  change: (names: Set<string>) => void,
  options: ChangeOptions = {},
): Promise<void> {
  const writer = new IndexWriter(connection, topics.index(part), options)
  try {
    await writer.change(change)
  } finally {
    writer.close()
  }
}

class IndexWriter {
  readonly #connection: MqttConnection
  readonly #topic: string
  readonly #options: ChangeOptions
  readonly #clock: Clock
  /** Every version of the part that has come, in the broker's order. */
  readonly #arrived: IndexPart[] = []
  readonly #subscription: Subscription
  #wake = new AbortController()
  /** A list that came and cannot be read: nothing is written over it. */
  #problem: AgentError | undefined

  constructor(connection: MqttConnection, topic: string, options: ChangeOptions) {
    this.#connection = connection
    this.#topic = topic
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#subscription = connection.subscribe([topic], 1, ({ payload }) => {
      this.#take(payload)
      this.#wake.abort()
    })
  }

  async change(change: (names: Set<string>) => void): Promise<void> {
    const reading = await readRetained(this.#connection, [this.#topic], {
      ...this.#options,
      isComplete: () => this.#arrived.length > 0 || this.#problem !== undefined,
    })
    requireFinished(reading, `cannot read the list under ${this.#topic}`)
    /** Names that others have changed in messages which this writer has overwritten, and whether each is listed. */
    const overwritten = new Map<string, boolean>()
    for (let round = 0; round < roundsMax; round++) {
      const before = new Set(this.#current)
      const after = new Set(before)
      for (const [name, isListed] of overwritten) {
        if (isListed) after.add(name)
        else after.delete(name)
      }
      change(after)
      const added = [...after].filter((name) => !before.has(name))
      const removed = [...before].filter((name) => !after.has(name))
      if (this.#current !== undefined && added.length + removed.length === 0) return
      const others = await this.#write({ names: [...after].sort(), added, removed })
      if (others.length === 0) return
      for (const part of others) {
        for (const name of part.added) overwritten.set(name, true)
        for (const name of part.removed) overwritten.set(name, false)
      }
    }
    throw new AgentError(
      'network.request_timeout',
      `cannot change the list under ${this.#topic}: others change it all the time`,
    )
  }

  #take(payload: Uint8Array): void {
    if (payload.byteLength === 0) return
    try {
      const part = partIn(this.#topic, payload)
      // A second subscription to the topic gets the same message again, possibly behind a newer one.
      if (this.#arrived.every(({ writer }) => writer !== part.writer)) this.#arrived.push(part)
    } catch (thrown) {
      this.#problem = wrapError(thrown, 'protocol.payload_malformed', `cannot read ${this.#topic}`)
    }
  }

  /** What the broker has handed out last; undefined where there is no list. Throws for one that cannot be read. */
  get #current(): readonly string[] | undefined {
    if (this.#problem !== undefined) throw this.#problem
    return this.#arrived.at(-1)?.names
  }

  close(): void {
    void this.#subscription.close()
  }

  /**
   * Writes the part. Returns what others wrote since the list was read, in their order, if this overwrote some of it; none of
   * them is returned where it did not: who came later has to look after this one.
   */
  async #write(part: Omit<IndexPart, 'writer'>): Promise<readonly IndexPart[]> {
    const seen = this.#arrived.length
    const writer = randomBytes(9).toString('base64url')
    await publishRetained(this.#connection, this.#topic, encodeIndexPart({ writer, ...part }))
    const endMs = this.#clock.monotonicMs() + (this.#options.echoMs ?? 30_000)
    for (;;) {
      const at = this.#arrived.findIndex((part, index) => index >= seen && part.writer === writer)
      if (at === seen) return []
      if (at > seen) return this.#arrived.slice(seen).filter((part) => part.writer !== writer)
      const leftMs = endMs - this.#clock.monotonicMs()
      if (leftMs <= 0) throw unkept(this.#topic)
      this.#wake = new AbortController()
      await this.#clock.sleep(leftMs, this.#wake.signal)
    }
  }
}

function unkept(topic: string): AgentError {
  return new AgentError(
    'network.message_unkept',
    `the broker acknowledged the list under ${topic} and does not hand it out`,
    {
      hint: 'Let the access rules give this account read and write on the topic, as deploy/mosquitto/yolo-edge.acl does',
    },
  )
}
