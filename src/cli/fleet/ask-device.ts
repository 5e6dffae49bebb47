/** Asks a device and waits for its answer. Invariant: an answer to another question is never taken for this one's. */

import { randomBytes } from 'node:crypto'
import { systemClock } from '../../base/clock.js'
import { AgentError, errorCodeOf } from '../../base/errors.js'
import { type CommandResponse, encodeCommand, parseResponse } from '../../protocol/command.js'
import type { FleetConnection } from './fleet-connection.js'

/**
 * What `device` answers to `command`.
 * Throws `network.request_timeout` when nothing comes within `limitMs`, and the device's own error when it refuses.
 */
export async function askDevice(
  { connection, topics }: FleetConnection,
  device: string,
  command: string,
  limitMs: number,
): Promise<unknown> {
  const transaction = randomBytes(12).toString('hex')
  const answered = new AbortController()
  let answer: CommandResponse | undefined
  const subscription = connection.subscribe([topics.response(device, command)], 1, ({ payload }) => {
    const response = responseIn(payload)
    if (response?.transaction !== transaction) return
    answer = response
    answered.abort()
  })
  try {
    await subscription.outcome
    const expiresAt = new Date(systemClock.wallMs() + limitMs).toISOString()
    const request = encodeCommand({ transaction, expiresAt })
    await connection.publish(topics.command(device, command), request, { qos: 1, retain: false })
    await systemClock.sleep(limitMs, answered.signal)
  } finally {
    await subscription.close()
  }
  return dataOf(answer, device)
}

function responseIn(payload: Uint8Array): CommandResponse | undefined {
  try {
    return parseResponse(payload)
  } catch {
    // Not an answer in a form that is known here: the wait goes on.
    return undefined
  }
}

function dataOf(answer: CommandResponse | undefined, device: string): unknown {
  if (answer?.status === 'ok') return answer.data
  if (answer === undefined) {
    throw new AgentError('network.request_timeout', `device ${device} did not answer`, {
      hint: `yolo-edge why ${device} shows what it said last`,
    })
  }
  const { code, message } = answer.error
  if (code === 'protocol.request_expired') {
    throw new AgentError(code, `device ${device}: ${message}`, {
      hint: 'set the clocks of this machine and of the device, or give a longer --timeout than they are apart',
    })
  }
  throw new AgentError(errorCodeOf(code) ?? 'protocol.version_unsupported', `device ${device}: ${message}`)
}
