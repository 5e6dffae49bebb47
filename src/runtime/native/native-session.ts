/**
 * A session in an ONNX Runtime library that is named by its path: the way to execution providers that the Node binding
 * does not have, with all their options. Used in the worker thread only.
 * Invariant: every native object is released exactly once; tensors of the caller are used where they lie, never copied.
 */

import { Tensor } from 'onnxruntime-node'
import { invariant } from '../../base/assert.js'
import { AgentError } from '../../base/errors.js'
import type { BackendSession, NamedTensors } from '../backend.js'
import type { ModelSource } from '../messages.js'
import { reasonOf } from '../open-ort-session.js'
import { providersOf, type SessionOptions, toOrtOptions } from '../session-options.js'
import type { ElementType, TensorInfo } from '../tensor.js'
import { engineOptions } from '../engine-cache.js'
import { executionProvider, providerUnavailable } from '../execution-providers.js'
import { appendProvider } from './append-provider.js'
import { appendPlugin } from './plugin-provider.js'
import { addressOf, CStrings, loadOrtApi, memoryAt, type OrtApi, type Pointer, textAt } from './ort-api.js'

/** ONNXTensorElementDataType by our names, and the array that holds it in a Tensor. */
const elementTypes = {
  float32: [1, Float32Array],
  uint8: [2, Uint8Array],
  int8: [3, Int8Array],
  uint16: [4, Uint16Array],
  int16: [5, Int16Array],
  int32: [6, Int32Array],
  int64: [7, BigInt64Array],
  bool: [9, Uint8Array],
  float16: [10, Uint16Array],
  float64: [11, Float64Array],
} as const satisfies Readonly<Record<ElementType, readonly [number, unknown]>>

type Data = Exclude<Tensor['data'], string[]>

const FATAL = 4
const ARENA = 1
const DEFAULT_MEMORY = 0
const levels = { disabled: 0, basic: 1, extended: 2, layout: 3, all: 99 } as const

/** Opens `source` with `options.library`. Throws `inference.load_failed` or `inference.provider_unavailable`. */
export async function openNativeSession(
  source: ModelSource,
  options: SessionOptions,
): Promise<BackendSession> {
  invariant(options.library !== undefined, 'a native session names its library')
  return openSessionIn(await loadOrtApi(options.library), source, options)
}

/** The same with a library that is loaded already, and a library of operators that the model has besides the stock ones. */
export function openSessionIn(
  api: OrtApi,
  source: ModelSource,
  options: SessionOptions,
  operators?: string,
): BackendSession {
  const name = 'path' in source ? source.path : `of ${source.bytes.byteLength} bytes`
  const env = api.create('CreateEnv', FATAL, 'yolo-edge')
  const settings = api.create('CreateSessionOptions')
  try {
    for (const provider of providersOf(options)) {
      try {
        addProvider(api, env, settings, provider, options)
      } catch (thrown) {
        throw thrown instanceof AgentError && thrown.code === 'inference.provider_unavailable'
          ? thrown
          : providerUnavailable(provider, reasonOf(thrown), thrown)
      }
    }
    applyOptions(api, settings, options)
    if (operators !== undefined) api.call('RegisterCustomOpsLibrary', settings, operators)
    const session =
      'path' in source
        ? api.create('CreateSession', env, source.path, settings)
        : api.create('CreateSessionFromArray', env, source.bytes, source.bytes.byteLength, settings)
    try {
      return new NativeSession(api, env, session, options.profilePrefix !== undefined)
    } catch (thrown) {
      api.release('session', session)
      throw thrown
    }
  } catch (thrown) {
    api.release('env', env)
    if (thrown instanceof AgentError && thrown.code !== 'inference.run_failed') throw thrown
    throw new AgentError('inference.load_failed', `cannot load model ${name}: ${reasonOf(thrown)}`, {
      cause: thrown,
    })
  } finally {
    api.release('sessionOptions', settings)
  }
}

/** Adds a plugin of the owner's, or else a provider that the library was built with. */
function addProvider(
  api: OrtApi,
  env: Pointer,
  settings: Pointer,
  name: string,
  options: SessionOptions,
): void {
  const library = options.providerLibraries?.[name]
  const own = optionsOf(name, options)
  if (library === undefined) appendProvider(api, settings, executionProvider(name), own)
  else appendPlugin(api, env, settings, { name, library, options: own })
}

/** Where engines are kept, unless the owner says otherwise. */
function optionsOf(provider: string, options: SessionOptions): Readonly<Record<string, string>> {
  const { engineFolder, providerOptions } = options
  const kept = engineFolder === undefined ? {} : engineOptions(provider, engineFolder)
  return { ...kept, ...providerOptions?.[provider] }
}

/** The same settings as those of the Node binding, so that both compute the same. */
function applyOptions(api: OrtApi, settings: Pointer, options: SessionOptions): void {
  const same = toOrtOptions(options, providersOf(options))
  api.call('SetSessionLogSeverityLevel', settings, FATAL)
  api.call('SetIntraOpNumThreads', settings, same.intraOpNumThreads)
  api.call('SetInterOpNumThreads', settings, same.interOpNumThreads)
  api.call('SetSessionGraphOptimizationLevel', settings, levels[options.graphOptimization ?? 'all'])
  if (same.enableCpuMemArena === false) api.call('DisableCpuMemArena', settings)
  if (same.enableMemPattern === false) api.call('DisableMemPattern', settings)
  for (const [key, value] of Object.entries(same.extra as Record<string, string>))
    api.call('AddSessionConfigEntry', settings, key, value)
  if (options.optimizedModelPath !== undefined)
    api.call('SetOptimizedModelFilePath', settings, options.optimizedModelPath)
  if (options.profilePrefix !== undefined) api.call('EnableProfiling', settings, options.profilePrefix)
}

class NativeSession implements BackendSession {
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  readonly takesSharedMemory = true
  readonly #api: OrtApi
  readonly #env: Pointer
  readonly #session: Pointer
  readonly #memoryInfo: Pointer
  readonly #allocator: Pointer
  readonly #isProfiled: boolean
  /** Native values over the callers' memory, by the buffer they lie in: frames use the same tensors again and again. */
  readonly #values = new Map<Tensor, Pointer>()

  constructor(api: OrtApi, env: Pointer, session: Pointer, isProfiled: boolean) {
    this.#api = api
    this.#env = env
    this.#session = session
    this.#isProfiled = isProfiled
    this.#allocator = api.create('GetAllocatorWithDefaultOptions')
    this.#memoryInfo = api.create('CreateCpuMemoryInfo', ARENA, DEFAULT_MEMORY)
    try {
      this.inputs = this.#infos('Input')
      this.outputs = this.#infos('Output')
    } catch (thrown) {
      api.release('memoryInfo', this.#memoryInfo)
      throw thrown
    }
  }

  run(feeds: NamedTensors, fetches: Readonly<Record<string, Tensor | null>>): Promise<NamedTensors> {
    try {
      return Promise.resolve(this.#run(Object.entries(feeds), Object.entries(fetches)))
    } catch (thrown) {
      return Promise.reject(
        thrown instanceof Error ? thrown : new AgentError('inference.run_failed', reasonOf(thrown)),
      )
    }
  }

  #run(
    feeds: readonly (readonly [string, Tensor])[],
    fetches: readonly (readonly [string, Tensor | null])[],
  ): NamedTensors {
    const api = this.#api
    const inputNames = new CStrings(feeds.map(([name]) => name))
    const outputNames = new CStrings(fetches.map(([name]) => name))
    const inputs = BigUint64Array.from(feeds.map(([, tensor]) => this.#valueOf(tensor)))
    const outputs = BigUint64Array.from(
      fetches.map(([, tensor]) => (tensor === null ? 0n : this.#valueOf(tensor))),
    )
    api.call(
      'Run',
      this.#session,
      0n,
      inputNames.pointers,
      inputs,
      feeds.length,
      outputNames.pointers,
      fetches.length,
      outputs,
    )
    const results = fetches.map(
      ([name, tensor], index) => [name, tensor ?? this.#takeResult(outputs[index]!)] as const,
    )
    this.#forgetAllBut([...feeds, ...fetches].map(([, tensor]) => tensor))
    return Object.fromEntries(results)
  }

  release(): Promise<void> {
    const api = this.#api
    this.#forgetAllBut([])
    if (this.#isProfiled) {
      const file = api.create('SessionEndProfiling', this.#session, this.#allocator)
      api.call('AllocatorFree', this.#allocator, file)
    }
    api.release('session', this.#session)
    api.release('memoryInfo', this.#memoryInfo)
    api.release('env', this.#env)
    return Promise.resolve()
  }

  /** A native value over the memory of `tensor`, made once. */
  #valueOf(tensor: Tensor): Pointer {
    const known = this.#values.get(tensor)
    if (known !== undefined) return known
    const data = tensor.data as Data
    const dims = BigInt64Array.from(tensor.dims.map(BigInt))
    const [code] = elementTypes[tensor.type as ElementType]
    const value = this.#api.create(
      'CreateTensorWithDataAsOrtValue',
      this.#memoryInfo,
      addressOf(data),
      data.byteLength,
      dims,
      dims.length,
      code,
    )
    this.#values.set(tensor, value)
    return value
  }

  /** Values of tensors that were used once are let go, so that a session that gets new tensors each time does not grow. */
  #forgetAllBut(tensors: readonly (Tensor | null)[]): void {
    for (const [tensor, value] of this.#values) {
      if (tensors.includes(tensor)) continue
      this.#api.release('value', value)
      this.#values.delete(tensor)
    }
  }

  /** A result that the library allocated, copied into memory of our own. */
  #takeResult(value: Pointer): Tensor {
    const api = this.#api
    try {
      const info = api.create('GetTensorTypeAndShape', value)
      const { type, dims } = readShape(api, info)
      api.release('tensorInfo', info)
      const [, arrayType] = elementTypes[type]
      const count = dims.reduce((product, dim) => product * dim, 1)
      const byteLength = count * arrayType.BYTES_PER_ELEMENT
      const data = new arrayType(count)
      if (count > 0) {
        const place = api.create('GetTensorMutableData', value)
        new Uint8Array(data.buffer).set(new Uint8Array(memoryAt(place, byteLength)))
      }
      return new Tensor(type, data as never, dims)
    } finally {
      api.release('value', value)
    }
  }

  #infos(side: 'Input' | 'Output'): readonly TensorInfo[] {
    const api = this.#api
    const count = api.count(`SessionGet${side}Count`, this.#session)
    return Array.from({ length: count }, (_, index) => {
      const text = api.create(`SessionGet${side}Name`, this.#session, index, this.#allocator)
      const name = textAt(text)
      api.call('AllocatorFree', this.#allocator, text)
      const typeInfo = api.create(`SessionGet${side}TypeInfo`, this.#session, index)
      try {
        // Borrowed from the type info.
        const info = api.create('CastTypeInfoToTensorInfo', typeInfo)
        if (info === 0n)
          throw new AgentError('inference.load_failed', `the model has ${name}, which is not a tensor`)
        const { type, dims, names } = readShape(api, info)
        const shape = dims.map((dim, axis) => (dim >= 0 ? dim : (names[axis] ?? '')))
        return { name, type, shape }
      } finally {
        api.release('typeInfo', typeInfo)
      }
    })
  }
}

interface Shape {
  readonly type: ElementType
  /** -1 where the size is open. */
  readonly dims: readonly number[]
  readonly names: readonly string[]
}

function readShape(api: OrtApi, info: Pointer): Shape {
  const code = api.count('GetTensorElementType', info)
  const type = Object.entries(elementTypes).find(([, row]) => row[0] === code)?.[0]
  if (type === undefined)
    throw new AgentError(
      'inference.load_failed',
      `the model has a tensor of element type ${code}, which is not known`,
    )
  const rank = api.count('GetDimensionsCount', info)
  const dims = new BigInt64Array(rank)
  const names = new BigUint64Array(rank)
  if (rank > 0) {
    api.call('GetDimensions', info, dims, rank)
    api.call('GetSymbolicDimensions', info, names, rank)
  }
  return { type: type as ElementType, dims: [...dims].map(Number), names: [...names].map(textAt) }
}
