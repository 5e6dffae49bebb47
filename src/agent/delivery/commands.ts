/**
 * Answers questions to this device.
 * Invariant: a command only asks: nothing that a command says changes what the device runs, because commands are not signed.
 */

import type { Clock } from '../../base/clock.js'
import { type AgentError, wrapError } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import { type CommandRequest, encodeResponse, parseCommand } from '../../protocol/command.js'
import { parseTopic, type Topics } from '../../protocol/topics.js'
import type { MqttConnection } from '../../transport/mqtt-connection.js'

/** By name of the command: what is answered. */
export type Answers = ReadonlyMap<string, () => unknown>

interface CommandPorts {
  readonly connection: MqttConnection
  readonly topics: Topics
  readonly clock: Clock
  readonly logger: Logger
}

/** Answers commands to `device`, until the returned function is called. */
export function listenToCommands(
  { connection, topics, clock, logger }: CommandPorts,
  device: string,
  answers: Answers,
): () => Promise<void> {
  const subscription = connection.subscribe([topics.commandsOf(device)], 1, ({ topic, payload }) => {
    const parsed = parseTopic(topics.root, topic)
    if (parsed?.kind !== 'command') return
    const request = requestIn(payload, logger)
    if (request === undefined) return
    if (request.expiresAt !== undefined && Date.parse(request.expiresAt) < clock.wallMs()) return
    const response = encodeResponse(responseTo(request, parsed.command, answers))
    void connection.publish(topics.response(device, parsed.command), response, { qos: 1, retain: false })
  })
  return () => subscription.close()
}

function requestIn(payload: Uint8Array, logger: Logger): CommandRequest | undefined {
  try {
    return parseCommand(payload)
  } catch (thrown) {
    const { code, message } = wrapError(thrown, 'protocol.payload_malformed', 'cannot accept the command')
    logger.warn({ code, reason: message }, 'command refused')
    return undefined
  }
}

function responseTo(
  { transaction }: CommandRequest,
  command: string,
  answers: Answers,
): Parameters<typeof encodeResponse>[0] {
  const answer = answers.get(command)
  if (answer !== undefined) return { transaction, status: 'ok', data: answer() }
  const known = [...answers.keys()].join(', ')
  const error: Pick<AgentError, 'code' | 'message'> = {
    code: 'protocol.name_invalid',
    message: `there is no command ${command}: expected one of ${known}`,
  }
  return { transaction, status: 'error', error }
}
