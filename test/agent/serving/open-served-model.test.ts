import t from 'tap'
import { libraryOptionsOf, sessionOptionsOf } from '../../../src/agent/serving/open-served-model.js'
import { loadConfig } from '../../../src/config/load.js'
import type { Artefact } from '../../../src/protocol/blob.js'
import { cutBlob } from '../../../src/protocol/cut-blob.js'
import type { Variant } from '../../../src/protocol/manifest.js'
import { exampleVariant } from '../../helpers/test-fleet.js'

function optionsWith(settings: Readonly<Record<string, unknown>>): ReturnType<typeof libraryOptionsOf> {
  return libraryOptionsOf(loadConfig({ env: {}, overrides: new Map(Object.entries(settings)) }).inference)
}

t.test('options of providers go to their providers, and only together with a library', (t) => {
  const options = [
    'tensorrt.trt_fp16_enable=1',
    'tensorrt.trt_engine_cache_path=/var/a=b',
    'cuda.device_id=0',
  ]
  t.same(
    optionsWith({ 'inference.library': '/opt/libonnxruntime.so', 'inference.provider_options': options }),
    {
      library: '/opt/libonnxruntime.so',
      providerOptions: {
        tensorrt: { trt_fp16_enable: '1', trt_engine_cache_path: '/var/a=b' },
        cuda: { device_id: '0' },
      },
    },
  )
  t.same(optionsWith({ 'inference.provider_options': options }), {})
  t.throws(() => optionsWith({ 'inference.provider_options': ['fp16'] }), { code: 'config.value_invalid' })
  t.end()
})

const artefact: Artefact = {
  sha256: 'a'.repeat(64),
  sizeBytes: 1,
  encoding: 'none',
  blob: cutBlob(Buffer.of(1)),
}
const variantFor = (providers: readonly string[]): Variant => exampleVariant('int8', artefact, { providers })

t.test('a variant runs on the providers that it is meant for, where the device has them', (t) => {
  const providersFor = (meant: readonly string[], providers: readonly string[]): readonly string[] => {
    const { inference } = loadConfig({ env: {}, overrides: new Map() })
    return sessionOptionsOf({ ...inference, providers: [...providers] }, variantFor(meant)).providers ?? []
  }
  t.same(providersFor(['cpu'], ['cuda', 'cpu']), ['cpu'])
  t.same(providersFor(['tensorrt', 'cuda'], ['cuda', 'cpu']), ['cuda'])
  t.same(providersFor([], ['cuda', 'cpu']), ['cuda', 'cpu'])
  t.end()
})

t.test('int8 models run with fused operators unless the settings say stock', (t) => {
  const operatorsWith = (settings: Readonly<Record<string, unknown>>): string | undefined => {
    const { inference } = loadConfig({ env: {}, overrides: new Map(Object.entries(settings)) })
    return sessionOptionsOf(inference, variantFor(['cpu'])).operators
  }
  t.equal(operatorsWith({}), 'fused')
  t.equal(operatorsWith({ 'inference.operators': 'stock' }), 'stock')
  t.throws(() => operatorsWith({ 'inference.operators': 'none' }), /expected one of fused, stock/)
  t.end()
})
