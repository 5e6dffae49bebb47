/**
 * Reads and changes the list of what is on a broker.
 * MQTT has no way to change a message only if nobody else has: a writer listens from before it reads until its own message
 * comes back. The broker hands out the messages of one topic in one order, so whoever overwrites the change of another sees it
 * come between what it had read and what it wrote, and writes once more with both.
 * Invariant: a change that was reported as made is in the list, whoever else changes it at the same time.
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
    let known = this.#current
    for (let round = 0; round < roundsMax; round++) {
      const names = new Set(known)
      change(names)
      const sorted = [...names].sort()
      if (sorted.join('\n') === this.#current?.toSorted().join('\n')) return
      const others = await this.#write(sorted)
      if (others === undefined) return
      known = others
    }
    throw new AgentError(
      'network.request_timeout',
      `cannot change the list under ${this.#topic}: others change it all the time`,
    )
  }

  #take(payload: Uint8Array): void {
    if (payload.byteLength === 0) return
    try {
      this.#arrived.push(partIn(this.#topic, payload))
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
   * Writes the part. Returns undefined when that has overwritten nothing unseen; otherwise what it has overwritten, together
   * with what others have written since: they did not see it either.
   */
  async #write(names: readonly string[]): Promise<readonly string[] | undefined> {
    const seen = this.#arrived.length
    const writer = randomBytes(9).toString('base64url')
    await publishRetained(this.#connection, this.#topic, encodeIndexPart({ writer, names }))
    const endMs = this.#clock.monotonicMs() + (this.#options.echoMs ?? 30_000)
    for (;;) {
      const at = this.#arrived.findIndex((part, index) => index >= seen && part.writer === writer)
      if (at === seen) return undefined
      if (at > seen) {
        const later = this.#arrived.slice(at + 1).at(-1)
        return [...new Set([...this.#arrived[at - 1]!.names, ...(later?.names ?? [])])]
      }
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
