/**
 * The public keys that a person put into the keys folder: who may sign what this device runs.
 * Invariant: a file that cannot be read as an Ed25519 public key stops the reading; no key is left out silently.
 */

import { createPublicKey, type KeyObject } from 'node:crypto'
import { AgentError, messageOf } from '../base/errors.js'
import type { FileSystem } from './fs.js'
import type { StoreLayout } from './layout.js'
import { readWholeFile } from './whole-file.js'

export interface TrustedKeyFile {
  readonly fileName: string
  readonly publicKey: KeyObject
}

/** A public key in PEM is about 113 bytes. */
const KEY_FILE_BYTES_MAX = 16 * 1024

function unreadable(path: string, problem: string, cause?: unknown): AgentError {
  return new AgentError(
    'trust.key_unreadable',
    `cannot use the trusted key ${path}: ${problem}, expected an Ed25519 public key in PEM`,
    { cause, hint: 'Replace or remove the file.' },
  )
}

/** An Ed25519 public key from PEM; `path` is for the message. Throws `trust.key_unreadable`. */
function publicKeyFrom(pem: Uint8Array, path: string): KeyObject {
  const text = Buffer.from(pem).toString('latin1')
  if (text.includes('PRIVATE KEY'))
    throw unreadable(path, 'it is a private key, which does not belong on a device')
  let key: KeyObject
  try {
    key = createPublicKey(text)
  } catch (thrown) {
    throw unreadable(path, messageOf(thrown), thrown)
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw unreadable(path, `it is a key of type ${key.asymmetricKeyType}`)
  return key
}

/** Every `*.pem` file of the keys folder, by name. Throws `trust.key_unreadable` naming the first bad file. */
export async function readTrustedKeys(files: FileSystem, layout: StoreLayout): Promise<TrustedKeyFile[]> {
  const names = (await files.list(layout.keysFolder)).filter((name) => name.endsWith('.pem')).sort()
  const keys: TrustedKeyFile[] = []
  for (const fileName of names) {
    const path = layout.key(fileName)
    const pem = await readWholeFile(files, path).catch((thrown: unknown) => {
      throw unreadable(path, messageOf(thrown), thrown)
    })
    if (pem === undefined) continue
    if (pem.byteLength > KEY_FILE_BYTES_MAX) throw unreadable(path, `it has ${pem.byteLength} bytes`)
    keys.push({ fileName, publicKey: publicKeyFrom(pem, path) })
  }
  return keys
}
