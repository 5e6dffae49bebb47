/**
 * Whether a broker gives what a fleet needs of it, tried with real messages under topics that nothing else reads.
 *
 *     connect -> one message, a chunk, a window of chunks -> replaced, found by wildcard, cleared -> last will -> other nodes
 *
 * Invariant: a need counts as met only by what came back; what was written is cleared again, also after a failure.
 */

import { randomBytes } from 'node:crypto'
import { type Clock, systemClock } from '../base/clock.js'
import { messageOf } from '../base/errors.js'
import { silentLogger } from '../base/logger.js'
import { defaultChunkSizeBytes } from '../protocol/blob.js'
import { clientIdOf, type Topics } from '../protocol/topics.js'
import type { ConnectionOptions } from './connection-options.js'
import { MqttConnection } from './mqtt-connection.js'
import { publishRetained } from './publish-retained.js'
import { readRetained } from './retained-reading.js'

/** What was found about one need of the fleet. */
export interface BrokerFinding {
  /** The need, in a few words. */
  readonly need: string
  /** `limited`: the fleet works, with less; `fails`: it does not work. */
  readonly verdict: 'ok' | 'limited' | 'fails'
  /** What was seen, in one sentence. */
  readonly sentence: string
  /** What to change. */
  readonly remedy?: string
}

export interface BrokerCheckOptions {
  /** How to connect; one address. The client id is replaced by several of the check's own. */
  readonly connection: ConnectionOptions
  /** Addresses of all nodes of the broker; the first is that of `connection`. */
  readonly urls: readonly string[]
  readonly topics: Topics
  /** How long a message may take from one client to another, milliseconds. */
  readonly waitMs: number
  readonly clock?: Clock
  /** Hears each finding when it is made. */
  readonly onFinding?: (finding: BrokerFinding) => void
}

/** A name and a version with everything that names may hold and brokers like to rewrite. */
const checkVersion = '1.0.0-rc.1'
const windowChunks = 32
const nothing = new Uint8Array()

/**
 * Tries every need, and returns what was found about each, in order. Throws `network.*` when the first connection cannot be
 * made at all.
 */
export async function checkBroker(options: BrokerCheckOptions): Promise<readonly BrokerFinding[]> {
  const check = new BrokerCheck(options)
  try {
    return await check.run()
  } finally {
    await check.end()
  }
}

type Verdict = Omit<BrokerFinding, 'need'>

class BrokerCheck {
  readonly #options: BrokerCheckOptions
  readonly #clock: Clock
  readonly #id = randomBytes(6).toString('hex')
  readonly #written = new Set<string>()
  readonly #connections: MqttConnection[] = []
  readonly #findings: BrokerFinding[] = []
  #clients = 0

  constructor(options: BrokerCheckOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  async run(): Promise<readonly BrokerFinding[]> {
    const { urls } = this.#options
    const writer = await this.#connect(urls[0]!)
    this.#find('connection', this.#announced(writer))
    const reader = await this.#connect(urls[0]!)
    const isKept = await this.#try('names in topics, retained', () => this.#oneMessage(writer, reader))
    // Without retained messages under their own topics there is nothing that the rest could show.
    if (!isKept) return this.#findings
    const isLarge = await this.#try('a chunk of a model', () => this.#chunk(writer, reader))
    if (isLarge) await this.#try(`${windowChunks} chunks at once`, () => this.#window(writer, reader))
    await this.#try('a newer message replaces', () => this.#replaced(writer, reader))
    await this.#try('retained messages by wildcard', () => this.#byWildcard(writer, reader))
    await this.#try('an empty message clears', () => this.#cleared(writer, reader))
    await this.#try('last will', () => this.#lastWill(reader))
    for (const url of urls.slice(1)) {
      await this.#try(`node ${hostOf(url)}`, async () => this.#otherNode(writer, await this.#connect(url)))
    }
    return this.#findings
  }

  /** Clears what was written and disconnects. */
  async end(): Promise<void> {
    const [writer] = this.#connections
    if (writer?.isOnline === true)
      for (const topic of this.#written) await writer.publish(topic, nothing, { qos: 1, retain: true })
    await Promise.all(this.#connections.map((connection) => connection.stop()))
  }

  async #connect(url: string): Promise<MqttConnection> {
    const connection = new MqttConnection(
      {
        ...this.#options.connection,
        url,
        furtherUrls: [],
        clientId: this.#clientId(this.#clients++),
      },
      { logger: silentLogger, clock: this.#clock },
    )
    this.#connections.push(connection)
    await connection.start()
    await connection.requireOnline(this.#options.waitMs + 10_000)
    return connection
  }

  /** Runs one probe; whether the need is met. */
  async #try(need: string, probe: () => Promise<Verdict>): Promise<boolean> {
    try {
      // A probe before may have cost the connection.
      await this.#connections[0]?.requireOnline(this.#options.waitMs)
      return this.#find(need, await probe())
    } catch (thrown) {
      return this.#find(need, { verdict: 'fails', sentence: messageOf(thrown), ...remedyIn(thrown) })
    }
  }

  #find(need: string, verdict: Verdict): boolean {
    const finding = { need, ...verdict }
    this.#findings.push(finding)
    this.#options.onFinding?.(finding)
    return verdict.verdict !== 'fails'
  }

  #announced(connection: MqttConnection): Verdict {
    const limits = connection.brokerLimits
    const version = connection.stats().protocolVersion === 5 ? 'MQTT 5' : 'MQTT 3.1.1'
    if (limits === undefined) return { verdict: 'fails', sentence: 'the connection was lost at once' }
    if (!limits.keepsRetained)
      return {
        verdict: 'fails',
        sentence: `${version}; the broker announces that it keeps no retained messages`,
        remedy: 'Switch retained messages on: models, wishes and states are kept in them',
      }
    if (limits.qosMax < 1)
      return {
        verdict: 'fails',
        sentence: `${version}; the broker announces that it takes QoS 0 only`,
        remedy: 'Let the broker take QoS 1',
      }
    const size = Number.isFinite(limits.packetBytesMax)
      ? `messages up to ${limits.packetBytesMax.toLocaleString('en-US')} bytes`
      : 'no limit announced'
    return { verdict: 'ok', sentence: `${version}, ${size}, ${limits.receiveMax} in flight` }
  }

  async #oneMessage(writer: MqttConnection, reader: MqttConnection): Promise<Verdict> {
    const topic = this.#topic(0)
    const seen: string[] = []
    // Whoever listens sees the topic as the broker hands it out, rewritten or not.
    const listening = reader.subscribe([topic], 1, (message) => seen.push(message.topic))
    await listening.outcome
    await this.#write(writer, topic, bytesOf(1, 100))
    const isHeard = await this.#waitUntil(() => seen.length > 0)
    await listening.close()
    if (await this.#isKept(reader, topic, bytesOf(1, 100)))
      return { verdict: 'ok', sentence: `kept and handed out under its own topic` }
    const what = isHeard ? 'was handed out once and not kept' : 'was acknowledged and never handed out'
    return {
      verdict: 'fails',
      sentence: `a retained message under ${topic} ${what}`,
      remedy: isHeard
        ? 'Switch retained messages on at the broker, and let this account write them'
        : 'Let the access rules give this account read and write below the root, as deploy/mosquitto/yolo-edge.acl does; over MQTT 3.1.1 a refusal looks like consent',
    }
  }

  async #chunk(writer: MqttConnection, reader: MqttConnection): Promise<Verdict> {
    const topic = this.#topic(1)
    const bytes = bytesOf(2, defaultChunkSizeBytes)
    const size = `${bytes.length.toLocaleString('en-US')} bytes`
    const remedy = 'Raise the message size limit of the broker to 70,000 bytes at least'
    try {
      await this.#write(writer, topic, bytes)
    } catch (thrown) {
      return { verdict: 'fails', sentence: `a message of ${size} is not taken: ${messageOf(thrown)}`, remedy }
    }
    if (await this.#isKept(reader, topic, bytes)) return { verdict: 'ok', sentence: `${size}, byte for byte` }
    return { verdict: 'fails', sentence: `a message of ${size} did not come back`, remedy }
  }

  async #window(writer: MqttConnection, reader: MqttConnection): Promise<Verdict> {
    const topics = Array.from({ length: windowChunks }, (_, index) => this.#topic(10 + index))
    for (const [index, topic] of topics.entries())
      await this.#write(writer, topic, bytesOf(index, defaultChunkSizeBytes))
    const startMs = this.#clock.monotonicMs()
    const kept = await this.#read(reader, topics)
    const tookMs = this.#clock.monotonicMs() - startMs
    const right = topics.filter((topic, index) =>
      sameBytes(kept.get(topic), bytesOf(index, defaultChunkSizeBytes)),
    )
    if (right.length < windowChunks)
      return {
        verdict: 'limited',
        sentence: `${right.length} of ${windowChunks} came; the others have to be asked for again`,
        remedy: 'Raise what the broker queues for one client to 32 messages of 61,440 bytes',
      }
    const speed = (windowChunks * defaultChunkSizeBytes) / 1000 / Math.max(1, tookMs)
    return { verdict: 'ok', sentence: `all came, ${speed.toFixed(1)} MB/s` }
  }

  async #replaced(writer: MqttConnection, reader: MqttConnection): Promise<Verdict> {
    const topic = this.#topic(2)
    await this.#write(writer, topic, bytesOf(3, 64))
    await this.#write(writer, topic, bytesOf(4, 64))
    if (await this.#isKept(reader, topic, bytesOf(4, 64)))
      return { verdict: 'ok', sentence: 'the newest one is kept' }
    return { verdict: 'fails', sentence: 'the broker still hands out the message that was replaced' }
  }

  async #byWildcard(writer: MqttConnection, reader: MqttConnection): Promise<Verdict> {
    const topic = this.#topic(3)
    await this.#write(writer, topic, bytesOf(5, 64))
    const filter = this.#options.topics.allChecks()
    const { messages } = await readRetained(reader, [filter], {
      clock: this.#clock,
      isComplete: (received) => received.has(topic),
    })
    if (messages.has(topic)) return { verdict: 'ok', sentence: 'found' }
    return {
      verdict: 'limited',
      sentence:
        'a subscription with + gets no retained messages: lists come from the index that publish keeps, and devices enter it when rollout status hears them',
      remedy: 'Nothing has to be changed; run rollout status while the devices are online',
    }
  }

  async #cleared(writer: MqttConnection, reader: MqttConnection): Promise<Verdict> {
    const topic = this.#topic(3)
    await this.#write(writer, topic, nothing)
    if (!(await this.#read(reader, [topic])).has(topic)) return { verdict: 'ok', sentence: 'gone' }
    return {
      verdict: 'limited',
      sentence:
        'the broker goes on handing out a message that was cleared: retired versions keep their place',
    }
  }

  async #lastWill(reader: MqttConnection): Promise<Verdict> {
    const topic = this.#topic(4)
    this.#written.add(topic)
    const heard: string[] = []
    const subscription = reader.subscribe([topic], 1, ({ payload }) =>
      heard.push(Buffer.from(payload).toString()),
    )
    await subscription.outcome
    const mortal = new MqttConnection(
      {
        ...this.#options.connection,
        furtherUrls: [],
        clientId: this.#clientId('will'),
        availabilityTopic: topic,
      },
      { logger: silentLogger, clock: this.#clock },
    )
    await mortal.start()
    await mortal.requireOnline(this.#options.waitMs)
    await this.#waitUntil(() => heard.includes('online'))
    await mortal.abandon()
    const isTold = await this.#waitUntil(() => heard.includes('offline'))
    await subscription.close()
    if (isTold) return { verdict: 'ok', sentence: 'sent when a connection broke off' }
    return {
      verdict: 'limited',
      sentence: `no last will within ${this.#options.waitMs / 1000} s of a broken connection: a dead device goes on looking online`,
      remedy: 'Let the broker send last wills',
    }
  }

  async #otherNode(writer: MqttConnection, reader: MqttConnection): Promise<Verdict> {
    const topic = this.#topic(5)
    await this.#write(writer, topic, bytesOf(6, 64))
    if (!(await this.#isKept(reader, topic, bytesOf(6, 64))))
      return {
        verdict: 'fails',
        sentence: 'does not hand out what another node keeps: a device that is connected to it gets no model',
        remedy:
          'Use a broker that shares retained messages among its nodes (NATS with deploy/nats/cluster.conf), or give every device and publisher the same node',
      }
    const live = this.#topic(6)
    const heard: Uint8Array[] = []
    const subscription = reader.subscribe([live], 1, ({ payload }) => heard.push(payload))
    await subscription.outcome
    await this.#write(writer, live, bytesOf(7, 64))
    const isLive = await this.#waitUntil(() => heard.length > 0)
    await subscription.close()
    if (isLive)
      return { verdict: 'ok', sentence: 'hands out what another node keeps, and hears what is said there' }
    return { verdict: 'fails', sentence: 'does not hear what is said on another node' }
  }

  /** Spelled as that of a device with a dot in its name. */
  #clientId(name: number | string): string {
    return clientIdOf(`yolo-edge.check-${this.#id}-${name}`)
  }

  #topic(number: number): string {
    return this.#options.topics.check(`check.${this.#id}-${number}`, checkVersion)
  }

  async #write(writer: MqttConnection, topic: string, bytes: Uint8Array): Promise<void> {
    this.#written.add(topic)
    await publishRetained(writer, topic, bytes)
  }

  /** What is retained under exact topics: everything that comes within the wait. */
  async #read(reader: MqttConnection, topics: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const { messages } = await readRetained(reader, topics, {
      clock: this.#clock,
      limitMs: this.#options.waitMs,
      isComplete: ({ size }) => size === topics.length,
    })
    return messages
  }

  /** Whether `bytes` are retained under `topic` within the wait: the nodes of a cluster may take a moment to agree. */
  async #isKept(reader: MqttConnection, topic: string, bytes: Uint8Array): Promise<boolean> {
    const deadlineMs = this.#clock.monotonicMs() + this.#options.waitMs
    for (;;) {
      if (sameBytes((await this.#read(reader, [topic])).get(topic), bytes)) return true
      if (this.#clock.monotonicMs() >= deadlineMs || !reader.isOnline) return false
    }
  }

  async #waitUntil(condition: () => boolean): Promise<boolean> {
    const deadlineMs = this.#clock.monotonicMs() + this.#options.waitMs
    while (!condition() && this.#clock.monotonicMs() < deadlineMs) await this.#clock.sleep(20)
    return condition()
  }
}

/** Bytes that differ with `seed`, so that one message is never taken for another. */
function bytesOf(seed: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 97 + (index >> 8)) & 255)
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0
}

function hostOf(url: string): string {
  return new URL(url).host
}

function remedyIn(thrown: unknown): { readonly remedy?: string } {
  const isHinted = thrown instanceof Error && 'hint' in thrown && typeof thrown.hint === 'string'
  return isHinted ? { remedy: thrown.hint as string } : {}
}
