/**
 * Topics whose retained message depends on the settings: one that the settings no longer ask for is taken back.
 * Invariant: a topic is written down before its first message may be sent, and is forgotten only after the broker has taken the
 * message back; a record that cannot be read or written costs what would be taken back, nothing else.
 */

import { messageOf } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import type { DoubleRecord } from '../../store/double-record.js'
import type { MqttConnection } from '../../transport/mqtt-connection.js'

/** More than the topics of a device with all its cameras. */
const topicsMax = 1000

export class RetainedTopics {
  readonly #record: DoubleRecord
  readonly #connection: MqttConnection
  readonly #logger: Logger
  #wanted: readonly string[] = []
  #stale: readonly string[] = []
  #unwatch = (): void => undefined
  #clearing: Promise<void> | undefined

  constructor(record: DoubleRecord, connection: MqttConnection, logger: Logger) {
    this.#record = record
    this.#connection = connection
    this.#logger = logger
  }

  /** From now on `wanted` may hold messages; what held some in an earlier run, and is not among them, is emptied. */
  async start(wanted: readonly string[]): Promise<void> {
    const known = await this.#read()
    this.#wanted = wanted
    this.#stale = known.filter((topic) => !wanted.includes(topic))
    if (this.#stale.length > 0 || wanted.some((topic) => !known.includes(topic))) await this.#write()
    if (this.#stale.length === 0) return
    this.#unwatch = this.#connection.onOnlineChange((isOnline) => {
      if (isOnline) this.#clear()
    })
    this.#clear()
  }

  async stop(): Promise<void> {
    this.#unwatch()
    await this.#clearing
  }

  #clear(): void {
    this.#clearing ??= this.#clearAll().finally(() => {
      this.#clearing = undefined
    })
  }

  async #clearAll(): Promise<void> {
    const left: string[] = []
    for (const topic of this.#stale) {
      const outcome = await this.#connection.publish(topic, '', { qos: 1, retain: true })
      if (outcome.status === 'sent') this.#logger.info({ topic }, 'a retained message was taken back')
      else left.push(topic)
    }
    if (left.length === this.#stale.length) return
    this.#stale = left
    await this.#write()
  }

  async #read(): Promise<readonly string[]> {
    try {
      const read = await this.#record.read()
      const topics: unknown[] = read.state === 'valid' && Array.isArray(read.value) ? read.value : []
      return topics.filter((topic) => typeof topic === 'string')
    } catch (thrown) {
      this.#logger.warn({ reason: messageOf(thrown) }, 'the list of retained topics could not be read')
      return []
    }
  }

  async #write(): Promise<void> {
    try {
      await this.#record.write([...this.#wanted, ...this.#stale].slice(0, topicsMax))
    } catch (thrown) {
      this.#logger.warn({ reason: messageOf(thrown) }, 'the list of retained topics could not be kept')
    }
  }
}
