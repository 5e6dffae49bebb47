/**
 * The public keys that a person put into the keys folder: who may sign what this device runs.
 * Invariant: a file that holds no public key stops the reading with its name; no key is left out silently.
 */

import { AgentError, isAgentError, messageOf } from '../base/errors.js'
import { parseTrustedKeys, type TrustedKey } from '../protocol/keys.js'
import type { FileSystem } from './fs.js'
import type { StoreLayout } from './layout.js'
import { readWholeFile } from './whole-file.js'

/** Files of the folder that hold keys: PEM, or a JSON key ring. Others, such as a README, are left alone. */
const KEY_FILE = /\.(pem|json)$/

function unreadable(path: string, thrown: unknown): AgentError {
  const problem = isAgentError(thrown) ? thrown.message : `cannot read the key: ${messageOf(thrown)}`
  return new AgentError('trust.key_unreadable', `${problem}; the file is ${path}`, {
    cause: thrown,
    hint: 'Replace or remove the file.',
  })
}

/** The keys of every file, files by name, equal keys once. Throws `trust.key_unreadable` for the first bad file. */
export async function readTrustedKeys(files: FileSystem, layout: StoreLayout): Promise<TrustedKey[]> {
  const names = (await files.list(layout.keysFolder)).filter((name) => KEY_FILE.test(name)).sort()
  const keys = new Map<string, TrustedKey>()
  for (const name of names) {
    const path = layout.key(name)
    try {
      const bytes = await readWholeFile(files, path)
      if (bytes === undefined) continue
      for (const key of parseTrustedKeys(Buffer.from(bytes).toString('utf8'))) keys.set(key.keyId, key)
    } catch (thrown) {
      throw unreadable(path, thrown)
    }
  }
  return [...keys.values()]
}
