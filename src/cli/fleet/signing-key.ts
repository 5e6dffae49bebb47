/** Reads the key that signs. Invariant: no message holds key material. */

import { readFile } from 'node:fs/promises'
import { AgentError, isAgentError, messageOf } from '../../base/errors.js'
import { parseSigningKey, type SigningKey } from '../../protocol/keys.js'

/** The private key in the file at `path`. Throws `trust.key_unreadable`. */
export async function readSigningKey(path: string): Promise<SigningKey> {
  try {
    return parseSigningKey(await readFile(path, 'utf8'))
  } catch (thrown) {
    const problem = isAgentError(thrown) ? thrown.message : `cannot read the key: ${messageOf(thrown)}`
    throw new AgentError('trust.key_unreadable', `${problem}; the file is ${path}`, {
      cause: thrown,
      hint: 'yolo-edge keygen NAME makes a key pair',
    })
  }
}
