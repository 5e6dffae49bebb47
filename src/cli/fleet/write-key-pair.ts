/** Makes a key pair as two files. Invariant: never overwrites a key. */

import { existsSync } from 'node:fs'
import { writeFileAtomic } from '../../base/atomic-file.js'
import { AgentError } from '../../base/errors.js'
import { generateKeys, type KeyPairText } from '../../protocol/keys.js'

/** Writes `NAME.key`, readable by its owner alone, and `NAME.pub`. Throws `cli.argument_invalid` where one exists. */
export async function writeKeyPair(name: string): Promise<{
  readonly privatePath: string
  readonly publicPath: string
  readonly keyId: KeyPairText['keyId']
}> {
  const [privatePath, publicPath] = [`${name}.key`, `${name}.pub`]
  for (const path of [privatePath, publicPath]) {
    if (existsSync(path))
      throw new AgentError('cli.argument_invalid', `${path} exists: expected a name that no key has yet`)
  }
  const keys = generateKeys()
  await writeFileAtomic(privatePath, keys.privatePem, { mode: 0o600 })
  await writeFileAtomic(publicPath, keys.publicPem)
  return { privatePath, publicPath, keyId: keys.keyId }
}
