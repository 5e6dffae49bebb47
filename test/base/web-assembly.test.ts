import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import wabt from 'wabt'
import { kernelsOf, reserveMemory } from '../../src/base/web-assembly.js'
import { projectRoot } from '../helpers/paths.js'

const root = join(projectRoot, 'src')
const features = { simd: true, threads: true }
const texts = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.wat'))

for (const text of texts) {
  t.test(`the module of ${text} is what its text says`, async (t) => {
    const assembler = await wabt()
    const { buffer } = assembler.parseWat(text, readFileSync(join(root, text), 'utf8'), features).toBinary({})
    const source = readFileSync(join(root, text.replace(/\.wat$/, '.ts')), 'utf8')
    const committed = [...source.matchAll(/^ {2}'(.*)'/gm)].map(([, line]) => line).join('')
    t.equal(committed, Buffer.from(buffer).toString('base64'), 'node deploy/assemble-kernels.mjs was run')
  })
}

t.test('kernels work on the memory that they are given', async (t) => {
  const assembler = await wabt()
  const text = `(module (import "host" "memory" (memory 1 65536 shared))
    (func (export "double") (param $at i32)
      (i32.store (local.get $at) (i32.mul (i32.const 2) (i32.load (local.get $at))))))`
  const { buffer } = assembler.parseWat('double.wat', text, features).toBinary({})
  const kernels = kernelsOf<{ double(at: number): void }>(Buffer.from(buffer).toString('base64'))
  const [one, other] = [reserveMemory(100, 'a test'), reserveMemory(100, 'a test')]
  const numbers = new Int32Array(one.buffer)
  numbers[2] = 21
  kernels(one).double(8)
  kernels(other).double(8)
  t.same([...numbers.subarray(1, 4)], [0, 42, 0])
  t.equal(new Int32Array(other.buffer)[2], 0)
})

t.test('more memory than there can be is refused in one sentence', (t) => {
  t.throws(() => reserveMemory(2 ** 34, 'a test'), {
    code: 'resource.memory_exhausted',
    message: /^cannot reserve 17180 MB for a test/,
  })
  t.end()
})
