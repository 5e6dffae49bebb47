/**
 * What a failed connection means.
 * Invariant: "cannot reach" is said only of a broker that was not reached; a refusal, a connection that the broker closed and
 * an unreachable broker have different codes.
 */

import { AgentError, messageOf, systemCodeOf } from '../base/errors.js'
import { isVersionCode, reasonOf } from '../protocol/reason-codes.js'

/** What the client says of an acknowledgement whose reason MQTT 5 does not provide for; it does not say which. */
const foreignAcknowledgement = 'Invalid puback reason code'
/** "Packet too large": the only such reason that is known, from Mosquitto. */
const tooLarge = 149

/** The MQTT reason code of a vendor error, if it carries one. */
export function reasonCodeOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error)) return undefined
  if (thrown.message.startsWith(foreignAcknowledgement)) return tooLarge
  return 'code' in thrown && typeof thrown.code === 'number' ? thrown.code : undefined
}

/** Whether a broker refused because of the MQTT version. */
export function isVersionRefusal(thrown: unknown): boolean {
  return isVersionCode(reasonCodeOf(thrown))
}

/** Whether a broker refused in a way that asking again will not mend: credentials, rights, client id. */
export function isLastingRefusal(thrown: unknown): boolean {
  const code = reasonCodeOf(thrown)
  return code !== undefined && reasonOf(code).isLasting
}

/** How a connection ended. */
export interface ConnectionEnd {
  /** The broker's address without path and credentials. */
  readonly broker: string
  /** The vendor's error; undefined where the other side closed the connection and said nothing. */
  readonly cause: unknown
  /** Whether the broker had accepted the connection. */
  readonly wasOpen: boolean
  readonly protocolVersion: 4 | 5
}

const silentHint =
  'MQTT 3.1.1 gives no reason: a second client with the same client id, a message above the size limit, or a topic that the access rules forbid are the usual ones'

/** The error for a connection that could not be made, or that broke. */
export function connectionError({ broker, cause, wasOpen, protocolVersion }: ConnectionEnd): AgentError {
  const code = reasonCodeOf(cause)
  if (code !== undefined) {
    const { reason, hint } = reasonOf(code)
    const what = wasOpen ? `broker ${broker} ended the connection` : `broker ${broker} refused`
    return new AgentError('network.broker_refused', `${what}: ${reason}`, {
      cause,
      ...(hint !== undefined && { hint }),
    })
  }
  if (cause === undefined && wasOpen) {
    return new AgentError('network.connection_lost', `broker ${broker} closed the connection`, {
      ...(protocolVersion === 4 && { hint: silentHint }),
    })
  }
  if (cause === undefined) {
    const problem = `broker ${broker} closed the connection before it answered`
    return new AgentError('network.broker_refused', problem, {
      hint: 'Check that the port is the one for MQTT, and that mqtts:// or wss:// is used where the broker wants TLS',
    })
  }
  const systemCode = systemCodeOf(cause)
  const detail = systemCode ?? messageOf(cause)
  if (wasOpen)
    return new AgentError('network.connection_lost', `lost the connection to broker ${broker}: ${detail}`, {
      cause,
    })
  const isTls = systemCode !== undefined && /CERT|TLS|SSL|SIGNED|ISSUER/.test(systemCode)
  return new AgentError('network.broker_unreachable', `cannot reach broker ${broker}: ${detail}`, {
    cause,
    ...(isTls && { hint: 'Check the certificate of the broker and the configured authority' }),
  })
}
