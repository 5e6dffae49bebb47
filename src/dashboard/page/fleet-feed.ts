/**
 * Joins the worker's link to the broker and the store, and tells the views when to look again.
 * Invariant: reading messages takes a bounded share of the main thread; views look at most a few times a second.
 */

import { signal } from '@preact/signals'
import type { Arrival, DeviceRecord } from '../fleet/device-record.js'
import { rowOf, type FleetRow } from '../fleet/fleet-row.js'
import { FleetStore } from '../fleet/fleet-store.js'
import type { Incoming } from '../fleet/inbox.js'
import { type Topic, parseTopic, topicsBelow, type Topics } from '../../protocol/topics.js'
import { every, monotonicMs, wallMs } from './browser-clock.js'
import type { BrokerSettings } from './link-messages.js'
import { WorkerLink } from './worker-link.js'

const slicePeriodMs = 40
const sliceMs = 10
const lookPeriodMs = 400

/** Hears the messages of an opened device that are not part of the fleet's state. */
export type CloseUpListener = (topic: Topic, payload: Uint8Array<ArrayBuffer>) => void

export class FleetFeed {
  readonly link: WorkerLink
  /** Rises when views should look again. */
  readonly #changes = signal(0)
  readonly settings = signal<BrokerSettings | undefined>(undefined)
  store = new FleetStore('')
  topics: Topics | undefined
  readonly #rows = new WeakMap<DeviceRecord, FleetRow>()
  readonly #closeUps = new Set<CloseUpListener>()
  #endListening: (() => void) | undefined
  /** Messages that came and were not read yet, the next at the end. */
  #unread: Incoming[] = []
  #shownRevision = -1
  #looks = 0

  constructor() {
    this.link = new WorkerLink({
      onFleet: (messages, figures) => {
        this.store.receiveFigures(figures, arrivalNow())
        this.#unread = messages.toReversed()
        this.#readSlice()
      },
      onCloseUp: (message) => {
        this.#lookCloser(message)
      },
    })
    every(slicePeriodMs, () => {
      if (this.#unread.length > 0) this.#readSlice()
      else this.link.take()
    })
    every(lookPeriodMs, () => {
      this.#look()
    })
  }

  /** Connects and forgets what was known of another fleet. Throws `config.value_invalid` for a root that is not plain. */
  open(settings: BrokerSettings): void {
    const topics = topicsBelow(settings.root)
    this.#endListening?.()
    this.#unread = []
    this.store = new FleetStore(settings.root)
    this.topics = topics
    this.settings.value = settings
    const kinds = ['availability', 'info', 'reported', 'deployment', 'report', 'metrics'] as const
    this.link.open(settings)
    this.#endListening = this.link.listen([
      ...kinds.map((kind) => topics.stateOfAll(kind)),
      topics.allChannelsDesired(),
    ])
    this.#changes.value++
  }

  /** Makes the view or computed value that calls this look again with every change. */
  followChanges(): number {
    return this.#changes.value
  }

  /** The rows of all devices as of now. A device has the same row each time, filled anew. */
  rows(): FleetRow[] {
    const nowMs = monotonicMs()
    const rows: FleetRow[] = []
    for (const device of this.store.devices.values()) {
      const row = rowOf(device, nowMs, this.#rows.get(device))
      this.#rows.set(device, row)
      rows.push(row)
    }
    return rows
  }

  /** Hears messages of `filters` directly until the returned function is called. */
  closeUp(filters: readonly string[], listener: CloseUpListener): () => void {
    this.#closeUps.add(listener)
    const end = this.link.listen(filters)
    return () => {
      this.#closeUps.delete(listener)
      end()
    }
  }

  #lookCloser(message: Incoming): void {
    const topic = this.topics && parseTopic(this.topics.root, message.topic)
    if (topic !== undefined) for (const listener of this.#closeUps) listener(topic, message.payload)
  }

  #readSlice(): void {
    const arrival = arrivalNow()
    for (let count = 1; this.#unread.length > 0; count++) {
      this.store.receive(this.#unread.pop()!, arrival)
      if (count % 8 === 0 && monotonicMs() - arrival.monotonicMs > sliceMs) return
    }
  }

  /** Also looks when nothing came for a while: time makes devices silent. */
  #look(): void {
    this.#looks++
    if (this.store.revision === this.#shownRevision && this.#looks % 12 !== 0) return
    this.#shownRevision = this.store.revision
    this.#changes.value++
  }
}

function arrivalNow(): Arrival {
  return { wallMs: wallMs(), monotonicMs: monotonicMs() }
}
