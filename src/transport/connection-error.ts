/** What a failed connection means. Invariant: an MQTT refusal and an unreachable broker have different codes. */

import { AgentError, messageOf, systemCodeOf } from '../base/errors.js'

/** MQTT 3.1.1 (1 to 5) and MQTT 5 (128 and up) reasons for which a broker refuses a connection. */
const reasons: ReadonlyMap<number, string> = new Map([
  [1, 'it does not know this MQTT version'],
  [132, 'it does not know this MQTT version'],
  [2, 'it does not accept the client id'],
  [133, 'it does not accept the client id'],
  [3, 'it is not available'],
  [136, 'it is not available'],
  [4, 'user name or password is wrong'],
  [134, 'user name or password is wrong'],
  [5, 'this client is not authorized'],
  [135, 'this client is not authorized'],
  [137, 'it is busy'],
  [138, 'this client is banned'],
  [140, 'it wants another way to authenticate'],
  [142, 'another client has connected with the same client id'],
  [149, 'a message was too large'],
  [151, 'a quota is used up'],
  [159, 'too many connections in a short time'],
])

/** The MQTT reason code of a vendor error, if it carries one. */
export function reasonCodeOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined
  return typeof thrown.code === 'number' ? thrown.code : undefined
}

/** Whether a broker refused because of the MQTT version. */
export function isVersionRefusal(thrown: unknown): boolean {
  const code = reasonCodeOf(thrown)
  return code === 1 || code === 132
}

/** Reason codes with which a later attempt can succeed although nothing changes on this side. */
const passing: ReadonlySet<number> = new Set([3, 136, 137, 142, 151, 159])

/** Whether a broker refused in a way that asking again will not mend: credentials, rights, client id. */
export function isLastingRefusal(thrown: unknown): boolean {
  const code = reasonCodeOf(thrown)
  return code !== undefined && reasons.has(code) && !passing.has(code)
}

/** The error for a connection to `broker` that could not be made, or that broke, with the vendor's `thrown`. */
export function connectionError(broker: string, thrown: unknown): AgentError {
  const code = reasonCodeOf(thrown)
  if (code !== undefined) {
    const reason = reasons.get(code) ?? `reason code ${code}`
    return new AgentError('network.broker_refused', `broker ${broker} refused: ${reason}`, { cause: thrown })
  }
  const systemCode = systemCodeOf(thrown)
  const isTls = systemCode !== undefined && /CERT|TLS|SSL|SIGNED|ISSUER/.test(systemCode)
  const detail = systemCode ?? messageOf(thrown)
  return new AgentError('network.broker_unreachable', `cannot reach broker ${broker}: ${detail}`, {
    cause: thrown,
    ...(isTls && { hint: 'Check the certificate of the broker and the configured authority' }),
  })
}
