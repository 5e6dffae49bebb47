/**
 * Reports on their way to the broker: kept on disk first, sent in order while online.
 * Invariant: a report leaves the disk only after the broker has acknowledged it; one that was made offline says so.
 */

import { AgentError, messageOf } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import { encodeReport, parseReport, type Report } from '../../protocol/report.js'
import type { OutboxStore } from '../../store/outbox-store.js'
import type { MqttConnection } from '../../transport/mqtt-connection.js'

const batchSize = 16

export class ReportOutbox {
  readonly #outbox: OutboxStore
  readonly #connection: MqttConnection
  readonly #topic: string
  readonly #logger: Logger
  #sending: Promise<void> | undefined
  #isStopped = false
  #unwatch: () => void = () => undefined

  constructor(outbox: OutboxStore, connection: MqttConnection, topic: string, logger: Logger) {
    this.#outbox = outbox
    this.#connection = connection
    this.#topic = topic
    this.#logger = logger
  }

  start(): void {
    this.#unwatch = this.#connection.onOnlineChange((isOnline) => {
      if (isOnline) this.#send()
    })
    this.#send()
  }

  /** Sends no more after the message under way. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#unwatch()
    await this.#sending
  }

  /** Keeps `report` and sends it as soon as the broker is there. Never rejects: a full disk costs the report only. */
  async add(report: Report): Promise<void> {
    try {
      const isLate = !this.#connection.isOnline
      await this.#outbox.append(encodeReport(isLate ? { ...report, historical: true } : report))
      this.#send()
    } catch (thrown) {
      this.#logger.warn({ report: report.id, reason: messageOf(thrown) }, 'report could not be kept')
    }
  }

  #send(): void {
    if (this.#isStopped || this.#sending !== undefined) return
    this.#sending = this.#sendAll().finally(() => {
      this.#sending = undefined
    })
  }

  async #sendAll(): Promise<void> {
    try {
      for (;;) {
        const waiting = await this.#outbox.peek(batchSize)
        if (waiting.length === 0) return
        for (const { id, bytes } of waiting) {
          if (this.#isStopped || !this.#connection.isOnline) return
          if (!(await this.#sendOne(bytes))) return
          await this.#outbox.remove(id)
        }
      }
    } catch (thrown) {
      this.#logger.warn({ reason: messageOf(thrown) }, 'reports could not be read from disk')
    }
  }

  /** Whether the broker has `bytes`, or they can never be sent. */
  async #sendOne(bytes: Uint8Array): Promise<boolean> {
    try {
      parseReport(bytes)
    } catch (thrown) {
      if (!(thrown instanceof AgentError)) throw thrown
      this.#logger.warn({ reason: thrown.message }, 'a report of another version is dropped')
      return true
    }
    const outcome = await this.#connection.publish(this.#topic, bytes, { qos: 1, retain: false })
    return outcome.status === 'sent'
  }
}
