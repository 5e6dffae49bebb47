/** Which library and which providers an agent takes, by its settings and by what was added. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  inferenceWith,
  installedRuntimes,
  recordFile,
  type RuntimeRecord,
} from '../../../src/agent/runtimes/installed-runtimes.js'
import { loadConfig } from '../../../src/config/load.js'

const fast: RuntimeRecord = {
  name: 'openvino',
  provider: 'openvino',
  package: 'p',
  version: '1',
  library: 'lib/a.so',
  isPlugin: false,
  options: { load_config: '{}' },
  precision: 'float32',
  ms: 10,
  cpuMs: 20,
}
const slow: RuntimeRecord = { ...fast, name: 'webgpu', provider: 'webgpu', isPlugin: true, ms: 30 }

const inferenceOf = (settings: Record<string, unknown>): Parameters<typeof inferenceWith>[0] =>
  loadConfig({
    env: {},
    overrides: new Map(Object.entries(settings).map(([key, value]) => [`inference.${key}`, value])),
  }).inference

t.test('what is there is read, the fastest first; what was not finished is not', async (t) => {
  const state = t.testdir()
  t.same(await installedRuntimes(state), [])
  const put = (name: string, text: string): void => {
    const folder = join(state, 'runtimes', name)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, recordFile), text)
  }
  put('webgpu', JSON.stringify(slow))
  put('openvino', JSON.stringify(fast))
  put('torn', '{')
  put('.fetch-x', JSON.stringify(fast))
  const found = await installedRuntimes(state)
  t.same(
    found.map(({ name }) => name),
    ['openvino', 'webgpu'],
  )
  t.equal(found[0]?.folder, join(state, 'runtimes/openvino'))
})

t.test('auto takes the fastest that is faster than the CPU', (t) => {
  const there = [
    { ...fast, folder: '/r/openvino' },
    { ...slow, folder: '/r/webgpu' },
  ]
  t.same(inferenceWith(inferenceOf({}), []).providers, ['cpu'])
  t.match(inferenceWith(inferenceOf({}), there), {
    providers: ['openvino', 'cpu'],
    library: '/r/openvino/lib/a.so',
    providerOptions: ['openvino.load_config={}'],
  })
  t.match(inferenceWith(inferenceOf({}), there.slice(1)), { providers: ['cpu'], library: '' })
  t.end()
})

t.test('a provider that is named is taken from the runtime that has it, and own settings win', (t) => {
  const there = [{ ...slow, folder: '/r/webgpu' }]
  t.match(inferenceWith(inferenceOf({ providers: ['webgpu', 'cpu'] }), there), {
    providers: ['webgpu', 'cpu'],
    library: /libonnxruntime\.so\.1$/,
    providerLibraries: ['webgpu=/r/webgpu/lib/a.so'],
  })
  const own = inferenceOf({ providers: ['webgpu'], library: '/own.so' })
  t.equal(inferenceWith(own, there), own)
  t.match(inferenceWith(inferenceOf({ library: '/own.so' }), there).providers, ['tensorrt', 'cuda'])
  t.same(inferenceWith(inferenceOf({ providers: ['cpu'] }), there).providers, ['cpu'])
  t.end()
})
