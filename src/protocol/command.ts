/**
 * Commands to a device and its responses.
 * Invariant: a response carries the transaction of its request; MQTT 5 correlation data is an addition, not a need.
 */

import * as v from 'valibot'
import { wireErrorField } from './deployment.js'
import type { WireError } from './deployment.js'
import { momentField, nameField } from './fields.js'
import { jsonPayload } from './json-payload.js'
import { limits } from './limits.js'

/** What is asked of a device. */
export interface CommandRequest {
  /** Chosen by the asker; comes back in the response. */
  readonly transaction: string
  /** After this moment the command is not obeyed any more. */
  readonly expiresAt?: string
  /** Arguments by name; what is allowed depends on the command. */
  readonly args?: Readonly<Record<string, unknown>>
}

/** What came of it. */
export type CommandResponse =
  | { readonly transaction: string; readonly status: 'ok'; readonly data?: unknown }
  | { readonly transaction: string; readonly status: 'error'; readonly error: WireError }

const requestSchema: v.GenericSchema<unknown, CommandRequest> = v.object({
  transaction: nameField,
  expiresAt: v.exactOptional(momentField),
  args: v.exactOptional(v.record(v.string(), v.unknown())),
})

const responseSchema: v.GenericSchema<unknown, CommandResponse> = v.variant('status', [
  v.object({ transaction: nameField, status: v.literal('ok'), data: v.exactOptional(v.unknown()) }),
  v.object({ transaction: nameField, status: v.literal('error'), error: wireErrorField }),
])

const request = jsonPayload<CommandRequest>({
  what: 'command',
  schema: requestSchema,
  bytesMax: limits.commandBytes,
  version: 1,
  opaque: ['args'],
})

const response = jsonPayload<CommandResponse>({
  what: 'response',
  schema: responseSchema,
  bytesMax: limits.responseBytes,
  version: 1,
  opaque: ['data'],
})

/** Reads a command. Throws `protocol.*` errors that name the field. */
export const parseCommand = request.parse

/** Writes a command. Throws the same errors when a reader would refuse it. */
export const encodeCommand = request.encode

/** Reads a response. Throws `protocol.*` errors that name the field. */
export const parseResponse = response.parse

/** Writes a response. Throws the same errors when a reader would refuse it. */
export const encodeResponse = response.encode

/** The forms on the wire, for documents. */
export const commandWire = request.shape
export const responseWire = response.shape
