/** `yolo-edge keygen`: makes the key pair that signs models. Invariant: never overwrites a key. */

import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { writeFileAtomic } from '../../base/atomic-file.js'
import { AgentError } from '../../base/errors.js'
import { generateKeys } from '../../protocol/keys.js'
import { processOutput } from '../output.js'

export function keygenCommand(): Command {
  return new Command('keygen')
    .description('Make a key pair: NAME.key signs (keep it secret), NAME.pub goes to the devices.')
    .argument('<name>', 'path of the files, without their endings')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Next:
  copy NAME.pub into security.trusted_keys of each device (default /etc/yolo-edge/keys)
  yolo-edge publish MODEL.onnx --sign NAME.key ...`,
    )
    .action(keygen)
}

async function keygen(name: string, options: { readonly json?: boolean }): Promise<void> {
  const output = processOutput(options.json ?? false)
  const privatePath = `${name}.key`
  const publicPath = `${name}.pub`
  for (const path of [privatePath, publicPath]) {
    if (existsSync(path)) {
      throw new AgentError('cli.argument_invalid', `${path} exists: expected a name that no key has yet`)
    }
  }
  const keys = generateKeys()
  await writeFileAtomic(privatePath, keys.privatePem, { mode: 0o600 })
  await writeFileAtomic(publicPath, keys.publicPem)
  output.result({ key_id: keys.keyId, private: privatePath, public: publicPath })
  output.line(`key ${keys.keyId}`)
  output.line(`${privatePath}  signs; keep it secret`)
  output.line(`${publicPath}  goes to the devices`)
}
