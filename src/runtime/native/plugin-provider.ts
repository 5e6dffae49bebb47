/**
 * Execution providers that come as libraries of their own (plugins, from ONNX Runtime 1.22 on), whatever the library of ONNX
 * Runtime was built with. Invariant: a plugin is registered once in a process; a name means the devices of that provider only.
 */

import { AgentError } from '../../base/errors.js'
import { providerUnavailable } from '../execution-providers.js'
import { CStrings, type OrtApi, type Pointer } from './ort-api.js'

/** What a session adds: a provider by its name, the library that has it, and its options. */
export interface PluginProvider {
  readonly name: string
  readonly library: string
  readonly options: Readonly<Record<string, string>>
}

/** Adds every device of `plugin` to `settings`. Throws `inference.provider_unavailable`. */
export function appendPlugin(api: OrtApi, env: Pointer, settings: Pointer, plugin: PluginProvider): void {
  const { name, library, options } = plugin
  if (!api.hasPlugins) {
    throw providerUnavailable(name, `ONNX Runtime ${api.version} loads no plugins, expected 1.22 or later`)
  }
  register(api, env, plugin)
  const devices = api.devices(env)
  const own = devices.filter((device) => plainName(device.provider) === name)
  if (own.length === 0) {
    const found = [...new Set(devices.map(({ provider }) => plainName(provider)))].join(', ')
    throw providerUnavailable(name, `${library} brings no device of it here; there are ${found}`)
  }
  const keys = new CStrings(Object.keys(options))
  const values = new CStrings(Object.values(options))
  const pointers = BigUint64Array.from(own.map(({ pointer }) => pointer))
  api.call(
    'AppendDevices',
    settings,
    env,
    pointers,
    own.length,
    keys.pointers,
    values.pointers,
    keys.pointers.length,
  )
}

function register(api: OrtApi, env: Pointer, { name, library }: PluginProvider): void {
  try {
    api.call('RegisterExecutionProviderLibrary', env, name, library)
  } catch (thrown) {
    // Another session of this process has it.
    if (thrown instanceof AgentError && /already registered/i.test(thrown.message)) return
    throw thrown
  }
}

/** `WebGpuExecutionProvider` is `webgpu` in the settings. */
function plainName(provider: string): string {
  return provider.toLowerCase().replace(/executionprovider$/, '')
}
