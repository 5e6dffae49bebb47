/**
 * Names as one level of a topic, and back.
 * A broker may rewrite or refuse more than MQTT forbids: RabbitMQ hands out `1.1.0` as three levels, NATS 2.9 ends the
 * connection at a dot, Artemis does not match a level with dots by `+`. So a level is made of characters that every broker
 * leaves alone:
 *
 *     letters, digits, - and _    themselves
 *     .                           ~
 *     any other character         =XX for each byte of its UTF-8 form, in upper-case hexadecimal
 *
 *     line-3_cam   line-3_cam         1.4.0-rc.1   1~4~0-rc~1         K 9   K=209
 *
 * Invariant: decodeLevel(encodeLevel(name)) is `name`, and every level that decodes at all is the one that its name encodes to.
 */

import { AgentError } from '../base/errors.js'
import { quote } from './names.js'

const escape = /[^A-Za-z0-9_-]/gu
const levelPattern = /^(?:[A-Za-z0-9_~-]|=[0-9A-F]{2})+$/

/**
 * The level of `name`: at most three characters for each byte of its UTF-8 form, and as long as `name` where that has only
 * letters, digits, '-', '_' and '.'. Throws `protocol.name_invalid` for a name that is empty or no Unicode text.
 */
export function encodeLevel(name: string): string {
  if (name === '' || /\p{Surrogate}/u.test(name)) {
    throw new AgentError('protocol.name_invalid', `name ${quote(name)} is empty or not Unicode text`)
  }
  return name.replaceAll(escape, (character) => (character === '.' ? '~' : escapedBytes(character)))
}

function escapedBytes(character: string): string {
  const bytes = new TextEncoder().encode(character)
  return [...bytes].map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
}

/** The name whose level is `level`, or undefined for text that is no name's level. Never throws. */
export function decodeLevel(level: string): string | undefined {
  if (!levelPattern.test(level)) return undefined
  const dotted = level.replaceAll('~', '.')
  if (!dotted.includes('=')) return dotted
  const name = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytesOf(dotted))
  return encodeLevel(name) === level ? name : undefined
}

/** The bytes that `text`, which is ASCII, stands for: `=XX` for one each. */
function bytesOf(text: string): Uint8Array {
  const [first = '', ...escaped] = text.split('=')
  const parts = escaped.map((part) => [Number.parseInt(part.slice(0, 2), 16), part.slice(2)] as const)
  const encoder = new TextEncoder()
  return Uint8Array.from([
    ...encoder.encode(first),
    ...parts.flatMap(([byte, plain]) => [byte, ...encoder.encode(plain)]),
  ])
}
