import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import t from 'tap'
import { probeProviders } from '../../../src/agent/probe/probe-providers.js'

t.test('the CPU is proven; what is not here says why', async (t) => {
  const [cpu, coreml, other] = await probeProviders(['cpu', 'coreml', 'abacus'])
  t.same(cpu, { name: 'cpu', works: true })
  t.match(coreml, { name: 'coreml', works: process.platform === 'darwin' })
  t.match(other, { works: false, reason: /abacus/ })
})

const library = join(
  dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')),
  `bin/napi-v6/linux/${process.arch}/libonnxruntime.so.1`,
)

t.test(
  'a library of the settings is tried in a process of its own',
  { skip: !existsSync(library) },
  async (t) => {
    t.same(await probeProviders(['cpu'], { library }), [{ name: 'cpu', works: true }])
    const [absent] = await probeProviders(['cpu'], { library: join(t.testdir(), 'none.so') })
    t.match(absent, { works: false, reason: /no such file/ })
  },
)
