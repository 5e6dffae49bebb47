/**
 * Publishes one retained message, and says in words what became of it.
 * Invariant: "no connection" is said only where there was none.
 */

import { AgentError } from '../base/errors.js'
import { reasonOf } from '../protocol/reason-codes.js'
import type { MqttConnection } from './mqtt-connection.js'
import type { DropReason, PublishOutcome } from './mqtt-session.js'

const drops: Readonly<Record<DropReason, { readonly problem: string; readonly hint?: string }>> = {
  queue_full: { problem: 'too much waits to be sent already' },
  too_large: { problem: 'the message is larger than the broker takes by its own word', ...hintOf(149) },
  retain_unavailable: { problem: 'the broker keeps no retained messages, by its own word', ...hintOf(154) },
  qos_unavailable: { problem: 'the broker takes messages of QoS 0 only, by its own word', ...hintOf(155) },
}

function hintOf(code: number): { readonly hint?: string } {
  const { hint } = reasonOf(code)
  return hint === undefined ? {} : { hint }
}

/** Publishes one retained message and waits for the broker's word. Throws `network.*`. */
export async function publishRetained(
  connection: MqttConnection,
  topic: string,
  payload: Uint8Array,
): Promise<void> {
  requireSent(await connection.publish(topic, payload, { qos: 1, retain: true }), topic, payload.byteLength)
}

/** Throws `network.*` unless a message of `sizeBytes` to `topic` was taken. */
function requireSent(outcome: PublishOutcome, topic: string, sizeBytes: number): void {
  if (outcome.status === 'sent') return
  const attempt = `cannot publish ${topic} (${sizeBytes.toLocaleString('en-US')} bytes)`
  switch (outcome.status) {
    case 'offline': {
      const { error } = outcome
      if (error === undefined)
        throw new AgentError('network.broker_unreachable', `${attempt}: there is no connection to the broker`)
      throw new AgentError(error.code, `${attempt}: ${error.message}`, { cause: error, ...hintIn(error) })
    }
    case 'dropped': {
      const { problem, ...rest } = drops[outcome.reason]
      throw new AgentError('network.broker_refused', `${attempt}: ${problem}`, rest)
    }
    case 'refused': {
      const { reason } = reasonOf(outcome.reasonCode)
      throw new AgentError('network.broker_refused', `${attempt}: the broker refused it: ${reason}`, {
        ...hintOf(outcome.reasonCode),
      })
    }
  }
}

function hintIn({ hint }: AgentError): { readonly hint?: string } {
  return hint === undefined ? {} : { hint }
}
