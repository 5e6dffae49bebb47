/**
 * What a page knows of the fleet, from messages alone.
 * Invariant: no payload can break it: what cannot be read is counted and named, and the rest goes on.
 */

import { messageOf } from '../../base/errors.js'
import { parseAvailability } from '../../protocol/availability.js'
import { parseDeployment } from '../../protocol/deployment.js'
import type { Desired } from '../../protocol/desired.js'
import { parseInfo } from '../../protocol/info.js'
import { parseMetrics } from '../../protocol/metrics.js'
import { unverifiedTelling } from '../../protocol/release.js'
import { parseReport } from '../../protocol/report.js'
import { parseReported } from '../../protocol/reported.js'
import { type DeviceStateKind, isDeviceStateKind, parseTopic } from '../../protocol/topics.js'
import {
  addDeployment,
  addMetrics,
  addReport,
  type Arrival,
  type DeviceRecord,
  newDevice,
} from './device-record.js'
import { type FiguresBatch, unpackFigures } from './figures-batch.js'
import type { Incoming } from './inbox.js'

const devicesMax = 20_000
const channelsMax = 1000

export class FleetStore {
  readonly devices = new Map<string, DeviceRecord>()
  /** What channels should run, as it was asked; a page has no keys, so no signature is checked. */
  readonly channels = new Map<string, Desired>()
  readonly #root: string
  #refused = 0
  #revision = 0

  constructor(root: string) {
    this.#root = root
  }

  /** Messages that could not be read. */
  get refused(): number {
    return this.#refused
  }

  /** Rises with each message that changed something. */
  get revision(): number {
    return this.#revision
  }

  /** Reads one message. Never throws. */
  receive({ topic, payload }: Incoming, arrival: Arrival): void {
    const parsed = parseTopic(this.#root, topic)
    if (parsed === undefined) return
    if (parsed.kind === 'channel-desired') {
      this.#receiveDesired(parsed.channel, payload)
      return
    }
    if (!isDeviceStateKind(parsed.kind) || !('device' in parsed)) return
    if (payload.length === 0) {
      this.#forget(parsed.device, parsed.kind)
      return
    }
    const device = this.#device(parsed.device)
    if (device === undefined) return
    this.#revision++
    try {
      readState(device, parsed.kind, payload, arrival)
    } catch (thrown) {
      device.refused++
      device.refusal = messageOf(thrown)
      this.#refused++
    }
  }

  /** Takes over metrics that were read already. */
  receiveFigures(batch: FiguresBatch, arrival: Arrival): void {
    unpackFigures(batch, (name, cameras, first) => {
      const device = this.#device(name)
      if (device === undefined) return
      this.#revision++
      device.live.read(batch.values, first, arrival.monotonicMs)
      device.live.cameras = cameras
      device.samples.add(arrival.wallMs, device.live)
    })
  }

  clear(): void {
    this.devices.clear()
    this.channels.clear()
    this.#refused = 0
    this.#revision++
  }

  #receiveDesired(channel: string, payload: Uint8Array): void {
    this.#revision++
    if (payload.length === 0) {
      this.channels.delete(channel)
      return
    }
    if (this.channels.size >= channelsMax && !this.channels.has(channel)) return
    try {
      const telling = unverifiedTelling(payload)
      if (telling.kind === 'wish') this.channels.set(channel, telling.wish)
      else this.channels.delete(channel)
    } catch {
      // Counted and shown; a channel whose wish cannot be read is not listed.
      this.#refused++
    }
  }

  #device(name: string): DeviceRecord | undefined {
    const known = this.devices.get(name)
    if (known !== undefined || this.devices.size >= devicesMax) return known
    const device = newDevice(name)
    this.devices.set(name, device)
    return device
  }

  /** An empty retained message clears a state; a device without availability is gone. */
  #forget(name: string, kind: DeviceStateKind): void {
    if (kind !== 'availability') return
    if (this.devices.delete(name)) this.#revision++
  }
}

function readState(device: DeviceRecord, kind: DeviceStateKind, payload: Uint8Array, arrival: Arrival): void {
  switch (kind) {
    case 'availability': {
      const availability = parseAvailability(payload)
      if (availability !== undefined) device.availability = availability
      return
    }
    case 'info':
      device.info = parseInfo(payload)
      return
    case 'reported':
      device.reported = parseReported(payload)
      return
    case 'deployment':
      addDeployment(device, parseDeployment(payload))
      return
    case 'report':
      addReport(device, parseReport(payload))
      return
    case 'metrics':
      addMetrics(device, parseMetrics(payload), arrival)
  }
}
