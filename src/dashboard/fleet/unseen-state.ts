/**
 * Which retained messages have to be asked for by their own topics, because the broker gives none to wildcards.
 *
 *     a device is heard, and its info has not come    -> its states, each by its topic
 *     nothing that is retained has come at all        -> the list of devices and channels, part by part
 *     a device or channel is listed and was not seen  -> its states, its wish
 *
 * Invariant: no topic is asked for twice, and none at all of a fleet that wildcards show.
 */

import { parseIndexPart, deviceParts, wishesPart, wishTargetIn } from '../../protocol/fleet-index.js'
import type { DeviceStateKind, Topic, Topics } from '../../protocol/topics.js'

/** How long a broker may take to give what is retained, milliseconds. */
const waitMs = 3000
/** Devices that are asked for by their own topics; a broker bounds the subscriptions of one connection. */
const devicesMax = 5000

const retainedKinds: readonly DeviceStateKind[] = ['availability', 'info', 'reported', 'deployment', 'report']

export class UnseenState {
  readonly #topics: Topics
  readonly #sinceMs: number
  /** When each device whose info has not come was first heard of. */
  readonly #waiting = new Map<string, number>()
  readonly #seen = new Set<string>()
  readonly #asked = new Set<string>()
  readonly #channels = new Set<string>()
  readonly #wanted: string[] = []
  #isListAsked = false

  /** `nowMs` is when the broker was asked by wildcards. */
  constructor(topics: Topics, nowMs: number) {
    this.#topics = topics
    this.#sinceMs = nowMs
  }

  /** Takes note of a message of the fleet's state. */
  hear(topic: Topic, payload: Uint8Array, nowMs: number): void {
    if (topic.kind === 'index') this.#takeList(payload, nowMs)
    else if (topic.kind === 'info') {
      this.#seen.add(topic.device)
      this.#waiting.delete(topic.device)
    } else if (topic.kind === 'channel-desired') this.#channels.add(topic.channel)
    else if ('device' in topic) this.#expect(topic.device, nowMs)
  }

  /** The topics that have to be asked for now; each is given once. */
  due(nowMs: number): readonly string[] {
    if (!this.#isListAsked && this.#seen.size === 0 && nowMs - this.#sinceMs >= waitMs) {
      this.#isListAsked = true
      this.#wanted.push(...[wishesPart, ...deviceParts].map((part) => this.#topics.index(part)))
    }
    for (const [device, heardMs] of this.#waiting) {
      if (nowMs - heardMs < waitMs) continue
      this.#waiting.delete(device)
      if (this.#asked.size >= devicesMax) continue
      this.#asked.add(device)
      this.#wanted.push(...retainedKinds.map((kind) => this.#topics.deviceState(device, kind)))
    }
    return this.#wanted.splice(0)
  }

  #expect(device: string, nowMs: number): void {
    const isKnown = this.#seen.has(device) || this.#asked.has(device) || this.#waiting.has(device)
    if (!isKnown) this.#waiting.set(device, nowMs)
  }

  #takeList(payload: Uint8Array, nowMs: number): void {
    for (const name of namesIn(payload)) {
      const target = wishTargetIn(name)
      if (target === undefined) this.#expect(name, nowMs - waitMs)
      else if (target.kind === 'channel' && !this.#channels.has(target.name)) {
        this.#channels.add(target.name)
        this.#wanted.push(this.#topics.channelDesired(target.name))
      }
    }
  }
}

function namesIn(payload: Uint8Array): readonly string[] {
  try {
    return parseIndexPart(payload).names
  } catch {
    // A list that cannot be read lists nobody; `rollout status` says so.
    return []
  }
}
