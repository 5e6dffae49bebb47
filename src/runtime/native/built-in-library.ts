/** Where the library of ONNX Runtime lies that came with this program. Invariant: it is the one that the Node binding uses. */

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** Its absolute path. Throws where the package of the binding is not installed. */
export function builtInLibrary(): string {
  const folder = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'))
  return join(folder, `bin/napi-v6/${process.platform}/${process.arch}/libonnxruntime.so.1`)
}
