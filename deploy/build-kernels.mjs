// Assembles the loops over all parameters of a network from WebAssembly text into dist/, beside the module that loads them.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import wabt from 'wabt'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = join('src', 'training', 'optimization')
const source = join(root, folder, 'vector-kernels.wat')
const target = join(root, 'dist', folder, 'vector-kernels.wasm')

const { parseWat } = await wabt()
const assembled = parseWat(source, readFileSync(source, 'utf8'), { simd: true })
assembled.validate()
mkdirSync(dirname(target), { recursive: true })
writeFileSync(target, assembled.toBinary({}).buffer)
