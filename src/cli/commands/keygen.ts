/** `yolo-edge keygen`: makes the key pair that signs models. Invariant: never overwrites a key. */

import { Command } from 'commander'
import { writeKeyPair } from '../fleet/write-key-pair.js'
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
  const { privatePath, publicPath, keyId } = await writeKeyPair(name)
  output.result({ key_id: keyId, private: privatePath, public: publicPath })
  output.line(`key ${keyId}`)
  output.line(`${privatePath}  signs; keep it secret`)
  output.line(`${publicPath}  goes to the devices`)
}
