// Assembles the loops over all parameters of a network, vector-kernels.wat, into vector-kernels.ts beside it. Run after changing the text:
//     node deploy/assemble-kernels.mjs
// A test assembles the text again and compares.
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import wabt from 'wabt'

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'src', 'training', 'optimization')
const source = join(folder, 'vector-kernels.wat')
const features = { simd: true, threads: true }

const { parseWat } = await wabt()
const assembled = parseWat(source, readFileSync(source, 'utf8'), features)
assembled.validate(features)
const lines = Buffer.from(assembled.toBinary({}).buffer)
  .toString('base64')
  .match(/.{1,100}/g)
writeFileSync(
  join(folder, 'vector-kernels.ts'),
  `/** vector-kernels.wat as a WebAssembly module, in base64. Written by deploy/assemble-kernels.mjs; not to be changed by hand. */

export const vectorKernels =
${lines.map((line) => `  '${line}'`).join(' +\n')}
`,
)
