// Assembles each src/**/NAME.wat into NAME.ts beside it. Run after changing such a text:
//     node deploy/assemble-kernels.mjs
// A test assembles them again and compares.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import wabt from 'wabt'

const root = join(dirname(dirname(fileURLToPath(import.meta.url))), 'src')
const features = { simd: true, threads: true }
const { parseWat } = await wabt()

for (const file of readdirSync(root, { recursive: true }).filter((path) => path.endsWith('.wat'))) {
  const source = join(root, file)
  const assembled = parseWat(source, readFileSync(source, 'utf8'), features)
  assembled.validate(features)
  const lines = Buffer.from(assembled.toBinary({}).buffer)
    .toString('base64')
    .match(/.{1,100}/g)
  const name = basename(file, '.wat')
  const constant = name.replaceAll(/-(.)/g, (_, letter) => letter.toUpperCase())
  writeFileSync(
    source.replace(/\.wat$/, '.ts'),
    `/** ${name}.wat as a WebAssembly module, in base64. Written by deploy/assemble-kernels.mjs; not to be changed by hand. */

export const ${constant} =
${lines.map((line) => `  '${line}'`).join(' +\n')}
`,
  )
}
