/** What a device is: sent after each start and when it changes; retained. Invariant: holds no secret and no address. */

import * as v from 'valibot'
import {
  amountField,
  integerField,
  lineField,
  listField,
  momentField,
  nameField,
  sha256Field,
  wordField,
} from './fields.js'
import { jsonPayload } from './json-payload.js'
import { camerasMax, limits } from './limits.js'

/** An execution provider as it was tried on this device. */
export interface ProviderInfo {
  readonly name: string
  /** Proven by opening a session, not by a list. */
  readonly works: boolean
  /** Why it does not work. */
  readonly reason?: string
}

/** Hardware profile and software of one device. */
export interface DeviceInfo {
  readonly at: string
  readonly startedAt: string
  /** The update channel that it follows. */
  readonly channel?: string
  readonly agentVersion: string
  readonly nodeVersion: string
  readonly onnxruntimeVersion?: string
  readonly os: string
  /** Board as the firmware names it: `Raspberry Pi 5 Model B Rev 1.0`. */
  readonly board: string
  readonly chip?: string
  readonly arch: string
  readonly cpuModel: string
  readonly cpuCores: number
  readonly cpuFeatures: readonly string[]
  readonly memoryBytes: number
  readonly powerMode?: string
  /** JetPack or other vendor release. */
  readonly platformRelease?: string
  readonly accelerators: readonly { readonly kind: string; readonly name: string }[]
  readonly providers: readonly ProviderInfo[]
  readonly cameras: readonly string[]
  /** Ids of the keys whose signatures it believes. */
  readonly trustedKeys?: readonly string[]
}

const infoSchema: v.GenericSchema<unknown, DeviceInfo> = v.object({
  at: momentField,
  startedAt: momentField,
  channel: v.exactOptional(nameField),
  agentVersion: lineField(64),
  nodeVersion: lineField(64),
  onnxruntimeVersion: v.exactOptional(lineField(64)),
  os: lineField(200),
  board: lineField(200),
  chip: v.exactOptional(lineField(100)),
  arch: lineField(40),
  cpuModel: lineField(200),
  cpuCores: integerField(1, 4096),
  cpuFeatures: listField(lineField(40), 512),
  memoryBytes: amountField,
  powerMode: v.exactOptional(lineField(64)),
  platformRelease: v.exactOptional(lineField(100)),
  accelerators: listField(v.object({ kind: wordField, name: lineField(200) }), 32),
  providers: listField(
    v.object({ name: wordField, works: v.boolean(), reason: v.exactOptional(lineField(500)) }),
    32,
  ),
  cameras: listField(nameField, camerasMax),
  trustedKeys: v.exactOptional(listField(sha256Field, 256)),
})

const payload = jsonPayload<DeviceInfo>({
  what: 'device info',
  schema: infoSchema,
  bytesMax: limits.infoBytes,
  version: 1,
})

/** Reads a device info. Throws `protocol.*` errors that name the field. */
export const parseInfo = payload.parse

/** Writes a device info. Throws the same errors when a reader would refuse it. */
export const encodeInfo = payload.encode

/** The form on the wire, for documents. */
export const infoWire = payload.shape
