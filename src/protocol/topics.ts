/**
 * Every topic of the protocol: the only place in the product with a topic string.
 * Invariant: parseTopic(root, topics(root).x(...)) gives back exactly what was put in, and no level below the root holds a
 * character that a broker may rewrite or refuse: names travel as `topic-level` writes them.
 */

import { AgentError } from '../base/errors.js'
import { isSha256 } from '../base/sha256.js'
import type { Sha256 } from '../base/sha256.js'
import { isName, isVersion, type NameKind, quote, requireName, requireVersion } from './names.js'
import { isIndexPart } from './fleet-index.js'
import { decodeLevel, encodeLevel } from './topic-level.js'

/** The root of all topics unless configured otherwise. */
export const defaultRoot = 'yolo-edge/v2'

/** A blob of more chunks than this is refused: 61,440 x 65,536 bytes is 4 GB. */
export const chunkCountMax = 65_536

/** What a topic is for, with the names in it. */
export type Topic =
  | { readonly kind: 'manifest' | 'retired'; readonly model: string; readonly version: string }
  | { readonly kind: 'index'; readonly part: string }
  | { readonly kind: 'chunk'; readonly sha256: Sha256; readonly index: number }
  | { readonly kind: 'channel-desired'; readonly channel: string }
  | { readonly kind: 'device-desired'; readonly device: string }
  | { readonly kind: DeviceStateKind; readonly device: string }
  | { readonly kind: CameraKind; readonly device: string; readonly camera: string }
  | { readonly kind: 'command' | 'response'; readonly device: string; readonly command: string }

const stateKinds = ['availability', 'info', 'reported', 'deployment', 'report', 'metrics'] as const

/** What a device says about itself, one topic each. */
export type DeviceStateKind = (typeof stateKinds)[number]

const deviceStateKinds: ReadonlySet<string> = new Set(stateKinds)

/** Whether a topic of this kind is about a device itself. */
export function isDeviceStateKind(kind: string): kind is DeviceStateKind {
  return deviceStateKinds.has(kind)
}

/** What a device says of one of its cameras, one topic each. */
type CameraKind = 'detections' | 'preview' | 'counts' | 'events'

const cameraKinds: ReadonlySet<string> = new Set<CameraKind>(['detections', 'preview', 'counts', 'events'])

/** Builders of all topics below one root. Each throws `protocol.name_invalid` for a name that may not be in a topic. */
export interface Topics {
  readonly root: string
  manifest(model: string, version: string): string
  /** Where the manifest of a version waits that nobody should fetch any more, until its chunks are gone. */
  retired(model: string, version: string): string
  /** A part of the list of what else is on the broker; `part` is one that `isIndexPart` knows. */
  index(part: string): string
  /** Filter of all parts of that list. */
  allIndexParts(): string
  /** Chunk `index`, 0 for the first, of the blob with this digest. */
  chunk(sha256: Sha256, index: number): string
  channelDesired(channel: string): string
  deviceDesired(device: string): string
  deviceState(device: string, kind: DeviceStateKind): string
  detections(device: string, camera: string): string
  preview(device: string, camera: string): string
  counts(device: string, camera: string): string
  events(device: string, camera: string): string
  command(device: string, command: string): string
  response(device: string, command: string): string
  /** Filter of all manifests of all versions of one model. */
  manifestsOf(model: string): string
  /** Filter of all manifests. */
  allManifests(): string
  /** A place for trial messages, spelled like a version of a model; nothing that serves reads it. */
  check(name: string, version: string): string
  /** Filter of all trial messages. */
  allChecks(): string
  /** Filter of everything that one device is commanded. */
  commandsOf(device: string): string
  /** Filter of one kind of state of all devices. */
  stateOfAll(kind: DeviceStateKind): string
  /** Filter of what every channel should run. */
  allChannelsDesired(): string
  /** Filter of what every device should run for itself. */
  allDevicesDesired(): string
}

/** What a root must look like, in words, for messages. */
export const rootExpected =
  "one to eight levels of letters, digits, '-' and '_', joined by '/', each at most 64 long"

/** Whether `root` may stand before all topics: an installer writes it, so it is used as it is written. */
export function isRoot(root: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}(?:\/[A-Za-z0-9_-]{1,64}){0,7}$/.test(root)
}

function requireRoot(root: string): void {
  if (isRoot(root)) return
  throw new AgentError('config.value_invalid', `topic root ${quote(root)} is not ${rootExpected}`, {
    hint: `Use a root such as ${defaultRoot}; brokers rewrite or refuse topics with other characters`,
  })
}

/** The level of a checked name. */
function levelOf(kind: NameKind, name: string): string {
  return encodeLevel(requireName(kind, name))
}

function requireChunk(sha256: string, index: number): string {
  if (!isSha256(sha256)) {
    throw new AgentError('protocol.name_invalid', `blob name ${quote(sha256)} is not a sha256 in hexadecimal`)
  }
  if (!Number.isInteger(index) || index < 0 || index >= chunkCountMax) {
    throw new AgentError(
      'protocol.name_invalid',
      `chunk index ${index} is not within 0..${chunkCountMax - 1}`,
    )
  }
  return `${sha256}/${index}`
}

/**
 * The client id of a device: its name as topics write it, which is also the name of its account. NATS refuses a client id with a
 * dot. Throws `protocol.name_invalid`.
 */
export function clientIdOf(device: string): string {
  return levelOf('device', device)
}

/** The topics below `root`. Throws `config.value_invalid` for a root that is not plain. */
export function topicsBelow(root: string): Topics {
  requireRoot(root)
  const device = (name: string): string => `${root}/devices/${levelOf('device', name)}`
  const versionOf = (model: string, version: string): string =>
    `${root}/models/${levelOf('model', model)}/${encodeLevel(requireVersion(version))}`
  const camera = (name: string): string => levelOf('camera', name)
  const command = (name: string): string => levelOf('command', name)
  return {
    root,
    manifest: (model, version) => `${versionOf(model, version)}/manifest`,
    retired: (model, version) => `${versionOf(model, version)}/retired`,
    index: (part) => `${root}/index/${part}`,
    allIndexParts: () => `${root}/index/+`,
    chunk: (sha256, index) => `${root}/blobs/${requireChunk(sha256, index)}`,
    channelDesired: (channel) => `${root}/channels/${levelOf('channel', channel)}/desired`,
    deviceDesired: (name) => `${device(name)}/desired`,
    deviceState: (name, kind) => `${device(name)}/${kind}`,
    detections: (name, cameraName) => `${device(name)}/detections/${camera(cameraName)}`,
    preview: (name, cameraName) => `${device(name)}/preview/${camera(cameraName)}`,
    counts: (name, cameraName) => `${device(name)}/counts/${camera(cameraName)}`,
    events: (name, cameraName) => `${device(name)}/events/${camera(cameraName)}`,
    command: (name, commandName) => `${device(name)}/cmd/${command(commandName)}`,
    response: (name, commandName) => `${device(name)}/cmd/${command(commandName)}/response`,
    manifestsOf: (model) => `${root}/models/${levelOf('model', model)}/+/manifest`,
    allManifests: () => `${root}/models/+/+/manifest`,
    check: (name, version) =>
      `${root}/models/${levelOf('model', name)}/${encodeLevel(requireVersion(version))}/check`,
    allChecks: () => `${root}/models/+/+/check`,
    commandsOf: (name) => `${device(name)}/cmd/+`,
    stateOfAll: (kind) => `${root}/devices/+/${kind}`,
    allChannelsDesired: () => `${root}/channels/+/desired`,
    allDevicesDesired: () => `${root}/devices/+/desired`,
  }
}

function parseChunk(sha256: string, digits: string): Topic | undefined {
  if (!isSha256(sha256) || !/^(0|[1-9]\d{0,5})$/.test(digits)) return undefined
  const index = Number(digits)
  return index < chunkCountMax ? { kind: 'chunk', sha256, index } : undefined
}

/** The name of a level, when it is one of this protocol. */
function nameIn(level: string): string | undefined {
  const name = decodeLevel(level)
  return name !== undefined && isName(name) ? name : undefined
}

function parseBelowDevice(device: string, rest: readonly string[]): Topic | undefined {
  const [group, level, last] = rest
  if (group === undefined) return undefined
  if (rest.length === 1) {
    if (group === 'desired') return { kind: 'device-desired', device }
    return isDeviceStateKind(group) ? { kind: group, device } : undefined
  }
  const name = level === undefined ? undefined : nameIn(level)
  if (name === undefined) return undefined
  if (rest.length === 2) {
    if (cameraKinds.has(group)) return { kind: group as CameraKind, device, camera: name }
    return group === 'cmd' ? { kind: 'command', device, command: name } : undefined
  }
  return rest.length === 3 && group === 'cmd' && last === 'response'
    ? { kind: 'response', device, command: name }
    : undefined
}

function parseVersion(model: string, rest: readonly string[]): Topic | undefined {
  const [level, kind] = rest
  if (rest.length !== 2 || level === undefined) return undefined
  const version = decodeLevel(level)
  if (version === undefined || !isVersion(version)) return undefined
  return kind === 'manifest' || kind === 'retired' ? { kind, model, version } : undefined
}

/** What `topic` is for, or undefined when it is not a topic of this protocol below `root`. Never throws. */
export function parseTopic(root: string, topic: string): Topic | undefined {
  if (!topic.startsWith(`${root}/`)) return undefined
  const [area, level, ...rest] = topic.slice(root.length + 1).split('/')
  if (area === undefined || level === undefined) return undefined
  const [first] = rest
  if (area === 'blobs') return rest.length === 1 && first !== undefined ? parseChunk(level, first) : undefined
  const name = nameIn(level)
  if (name === undefined) return undefined
  switch (area) {
    case 'devices':
      return parseBelowDevice(name, rest)
    case 'models':
      return parseVersion(name, rest)
    case 'index':
      return rest.length === 0 && isIndexPart(name) ? { kind: 'index', part: name } : undefined
    case 'channels':
      return rest.length === 1 && first === 'desired' ? { kind: 'channel-desired', channel: name } : undefined
    default:
      return undefined
  }
}
