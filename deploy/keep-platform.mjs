// Removes the native libraries of other platforms from an installed tree: node keep-platform.mjs FOLDER
// Invariant: what this machine's platform and architecture load stays.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const [folder] = process.argv.slice(2)
if (folder === undefined) {
  process.stderr.write('keep-platform: expected the folder that holds node_modules\n')
  process.exit(2)
}

const operators = join(folder, 'lib')
for (const name of existsSync(operators) ? readdirSync(operators) : []) {
  if (name !== `${process.platform}-${process.arch}`) rmSync(join(operators, name), { recursive: true })
}

const runtimes = join(folder, 'node_modules', 'onnxruntime-node', 'bin')
for (const version of existsSync(runtimes) ? readdirSync(runtimes) : []) {
  for (const platform of readdirSync(join(runtimes, version))) {
    for (const arch of readdirSync(join(runtimes, version, platform))) {
      const isOurs = platform === process.platform && arch === process.arch
      if (!isOurs) rmSync(join(runtimes, version, platform, arch), { recursive: true })
    }
  }
}
