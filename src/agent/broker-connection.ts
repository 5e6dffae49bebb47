/**
 * The broker as the configuration names it. Invariant: a credential is read from its file once and is in no message.
 */

import { readFile } from 'node:fs/promises'
import { AgentError, messageOf } from '../base/errors.js'
import type { Config } from '../config/config.js'
import { largestPayloadBytes, payloadBytesMax } from '../protocol/payload-limits.js'
import type { ConnectionOptions, TlsOptions } from '../transport/connection-options.js'

/** Room for topic, properties and header around the largest payload. */
const packetOverheadBytes = 16 * 1024

/** Options of a connection as `clientId`. Throws `config.file_unreadable`. */
export async function connectionOptionsOf(
  broker: Config['broker'],
  clientId: string,
): Promise<ConnectionOptions> {
  const [url = broker.url, ...furtherUrls] = broker.urls
  const password =
    broker.passwordFile === '' ? broker.password : firstLine(await readSetting(broker, 'passwordFile'))
  const tls: TlsOptions = {
    ...(broker.caFile !== '' && { ca: await readSetting(broker, 'caFile') }),
    ...(broker.certFile !== '' && { cert: await readSetting(broker, 'certFile') }),
    ...(broker.keyFile !== '' && { key: await readSetting(broker, 'keyFile') }),
  }
  return {
    url,
    ...(furtherUrls.length > 0 && { furtherUrls }),
    clientId,
    protocol: broker.protocolVersion === 4 ? 4 : 'auto',
    keepaliveS: broker.keepaliveS,
    packetBytesMax: largestPayloadBytes + packetOverheadBytes,
    payloadBytesMaxOf: (topic) => payloadBytesMax(broker.topicRoot, topic),
    tls,
    ...(broker.username !== '' && { username: broker.username }),
    ...(password !== '' && { password }),
  }
}

const settingNames = {
  passwordFile: 'password_file',
  caFile: 'ca_file',
  certFile: 'cert_file',
  keyFile: 'key_file',
} as const

async function readSetting(broker: Config['broker'], key: keyof typeof settingNames): Promise<string> {
  try {
    return await readFile(broker[key], 'utf8')
  } catch (thrown) {
    const problem = `cannot read broker.${settingNames[key]} ${broker[key]}: ${messageOf(thrown)}`
    throw new AgentError('config.file_unreadable', problem, { cause: thrown })
  }
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0]!
}
