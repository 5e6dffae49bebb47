/**
 * Answers questions to this device.
 * Invariant: a command only asks: nothing that it says changes what the device runs, because commands are not signed; one
 * that can be read is answered, with the reason where it is not obeyed.
 */

import type { Clock } from '../../base/clock.js'
import { AgentError, wrapError } from '../../base/errors.js'
import type { Logger } from '../../base/logger.js'
import {
  type CommandRequest,
  type CommandResponse,
  encodeResponse,
  parseCommand,
} from '../../protocol/command.js'
import { parseTopic, type Topics } from '../../protocol/topics.js'
import type { MqttConnection } from '../../transport/mqtt-connection.js'

/** The data of the answer to a command. May throw an AgentError, which is answered then. */
export type Answer = (args: CommandRequest['args']) => unknown

/** By name of the command. */
export type Answers = ReadonlyMap<string, Answer>

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
    const response = encodeResponse(responseTo(request, parsed.command, answers, clock.wallMs()))
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
  { transaction, args, expiresAt }: CommandRequest,
  command: string,
  answers: Answers,
  nowMs: number,
): CommandResponse {
  try {
    requireTimely(command, expiresAt, nowMs)
    const answer = answers.get(command)
    if (answer !== undefined) return { transaction, status: 'ok', data: answer(args) }
    const known = [...answers.keys()].join(', ')
    throw new AgentError('protocol.name_invalid', `there is no command ${command}: expected one of ${known}`)
  } catch (thrown) {
    const { code, message } = wrapError(thrown, 'internal.invariant_broken', `cannot answer ${command}`)
    return { transaction, status: 'error', error: { code, message } }
  }
}

/** Throws `protocol.request_expired` for a command that came too late by the clock of this device. */
function requireTimely(command: string, expiresAt: string | undefined, nowMs: number): void {
  if (expiresAt === undefined || Date.parse(expiresAt) >= nowMs) return
  const now = new Date(nowMs).toISOString()
  const problem = `cannot answer ${command}: it held until ${expiresAt}, and the clock here says ${now}`
  throw new AgentError('protocol.request_expired', problem)
}
