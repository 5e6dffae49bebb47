/**
 * Whose signatures this device believes: the public keys in a folder, read anew each time, so that a rotation needs no
 * restart. Invariant: a file that should hold a key and does not stops the reading; no key is left out silently.
 */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AgentError, isAgentError, messageOf, systemCodeOf } from '../base/errors.js'
import type { TrustPolicy } from '../protocol/envelope.js'
import { parseTrustedKeys, type TrustedKey } from '../protocol/keys.js'

/** PEM public keys, or a JSON key ring. Others, such as a README, are left alone. */
const keyFilePattern = /\.(pub|pem|json)$/

/** The policy of a device that trusts the keys in `folder`. Throws `trust.key_unreadable`. */
export async function trustPolicyOf(folder: string, allowUnsigned: boolean): Promise<TrustPolicy> {
  return { keys: await readKeyFolder(folder), allowUnsigned }
}

/** The keys of every file in `folder`, equal keys once; a folder that is absent holds none. */
async function readKeyFolder(folder: string): Promise<TrustedKey[]> {
  const keys = new Map<string, TrustedKey>()
  for (const name of await listKeyFiles(folder)) {
    const path = join(folder, name)
    try {
      for (const key of parseTrustedKeys(await readFile(path, 'utf8'))) keys.set(key.keyId, key)
    } catch (thrown) {
      throw unreadable(path, thrown)
    }
  }
  return [...keys.values()]
}

async function listKeyFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => keyFilePattern.test(name)).sort()
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return []
    throw unreadable(folder, thrown)
  }
}

function unreadable(path: string, thrown: unknown): AgentError {
  const problem = isAgentError(thrown) ? thrown.message : `cannot read the key: ${messageOf(thrown)}`
  return new AgentError('trust.key_unreadable', `${problem}; the file is ${path}`, {
    cause: thrown,
    hint: 'replace or remove the file',
  })
}
