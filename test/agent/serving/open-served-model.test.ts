import t from 'tap'
import { libraryOptionsOf } from '../../../src/agent/serving/open-served-model.js'
import { loadConfig } from '../../../src/config/load.js'

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
