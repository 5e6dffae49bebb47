/**
 * Reports and events on their way to the broker, in order. Reports are kept on disk first; events only when they cannot be sent
 * at once, because there are many of them.
 * Invariant: a message leaves the disk only after the broker has acknowledged it; one that was made offline says so.
 */

import { AgentError, messageOf } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import { encodeReport, parseReport, type Report } from '../../protocol/report.js'
import { encodeSceneEvent, parseSceneEvent, type SceneEvent } from '../../protocol/scene-event.js'
import type { Topics } from '../../protocol/topics.js'
import type { OutboxStore } from '../../store/outbox-store.js'
import type { MqttConnection } from '../../transport/mqtt-connection.js'

const batchSize = 16

export class ReportOutbox {
  readonly #outbox: OutboxStore
  readonly #connection: MqttConnection
  readonly #topics: Topics
  readonly #device: string
  readonly #logger: Logger
  #sending: Promise<void> | undefined
  #isStopped = false
  #unwatch: () => void = () => undefined

  constructor(
    outbox: OutboxStore,
    connection: MqttConnection,
    { topics, device }: { readonly topics: Topics; readonly device: string },
    logger: Logger,
  ) {
    this.#outbox = outbox
    this.#connection = connection
    this.#topics = topics
    this.#device = device
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

  /** Sends `event`, or keeps it while the broker is away or others wait before it. Never rejects: a full disk costs the event only. */
  async addEvent(event: SceneEvent): Promise<void> {
    try {
      if (this.#connection.isOnline && this.#outbox.size === 0) {
        const topic = this.#topics.events(this.#device, event.camera)
        const outcome = await this.#connection.publish(topic, encodeSceneEvent(event), {
          qos: 1,
          retain: false,
        })
        if (outcome.status === 'sent') return
      }
      const isLate = !this.#connection.isOnline
      await this.#outbox.append(encodeSceneEvent(isLate ? { ...event, historical: true } : event))
      this.#send()
    } catch (thrown) {
      this.#logger.warn({ event: event.id, reason: messageOf(thrown) }, 'event could not be kept')
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
    const topic = this.#topicOf(bytes)
    if (topic === undefined) return true
    const outcome = await this.#connection.publish(topic, bytes, { qos: 1, retain: false })
    return outcome.status === 'sent'
  }

  /** Where a message that was kept belongs; undefined for one of another version, which is dropped. */
  #topicOf(bytes: Uint8Array): string | undefined {
    const device = this.#device
    const problems: string[] = []
    for (const topicOf of [
      () => {
        parseReport(bytes)
        return this.#topics.deviceState(device, 'report')
      },
      () => this.#topics.events(device, parseSceneEvent(bytes).camera),
    ]) {
      try {
        return topicOf()
      } catch (thrown) {
        if (!(thrown instanceof AgentError)) throw thrown
        problems.push(thrown.message)
      }
    }
    this.#logger.warn({ reason: problems.join('; ') }, 'a message of another version is dropped')
    return undefined
  }
}
