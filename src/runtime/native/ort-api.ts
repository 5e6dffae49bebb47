/**
 * ONNX Runtime's C API, called in a shared library that is named by its path.
 * The API is one table of functions; the position of a function never changes once it is released (onnxruntime_c_api.h,
 * "This is to make sure that the function pointers are in the same order"), so a position is all that is needed.
 * Invariant: every status is looked at and released; a library that is not what it should be is refused before any call.
 */

import { access, constants } from 'node:fs/promises'
import koffi from 'koffi'
import { AgentError, messageOf } from '../../base/errors.js'

/** An address in the library's world. */
export type Pointer = bigint

/** The version that added the youngest function of the table below; libraries support all older ones. */
const apiVersion = 16
const oldestRelease = `1.${apiVersion}`

/** Position in the table, and the arguments; all but the `Release...` functions return a status. */
const table = {
  GetErrorMessage: [2, ['void *']],
  CreateEnv: [3, ['int', 'str', 'void *']],
  CreateSession: [7, ['void *', 'str', 'void *', 'void *']],
  CreateSessionFromArray: [8, ['void *', 'void *', 'size_t', 'void *', 'void *']],
  Run: [9, ['void *', 'void *', 'void *', 'void *', 'size_t', 'void *', 'size_t', 'void *']],
  CreateSessionOptions: [10, ['void *']],
  SetOptimizedModelFilePath: [11, ['void *', 'str']],
  EnableProfiling: [14, ['void *', 'str']],
  DisableMemPattern: [17, ['void *']],
  DisableCpuMemArena: [19, ['void *']],
  SetSessionLogSeverityLevel: [22, ['void *', 'int']],
  SetSessionGraphOptimizationLevel: [23, ['void *', 'int']],
  SetIntraOpNumThreads: [24, ['void *', 'int']],
  SetInterOpNumThreads: [25, ['void *', 'int']],
  SessionGetInputCount: [30, ['void *', 'void *']],
  SessionGetOutputCount: [31, ['void *', 'void *']],
  SessionGetInputTypeInfo: [33, ['void *', 'size_t', 'void *']],
  SessionGetOutputTypeInfo: [34, ['void *', 'size_t', 'void *']],
  SessionGetInputName: [36, ['void *', 'size_t', 'void *', 'void *']],
  SessionGetOutputName: [37, ['void *', 'size_t', 'void *', 'void *']],
  CreateTensorWithDataAsOrtValue: [49, ['void *', 'void *', 'size_t', 'void *', 'size_t', 'int', 'void *']],
  GetTensorMutableData: [51, ['void *', 'void *']],
  CastTypeInfoToTensorInfo: [55, ['void *', 'void *']],
  GetTensorElementType: [60, ['void *', 'void *']],
  GetDimensionsCount: [61, ['void *', 'void *']],
  GetDimensions: [62, ['void *', 'void *', 'size_t']],
  GetSymbolicDimensions: [63, ['void *', 'void *', 'size_t']],
  GetTensorTypeAndShape: [65, ['void *', 'void *']],
  CreateCpuMemoryInfo: [69, ['int', 'int', 'void *']],
  AllocatorFree: [76, ['void *', 'void *']],
  GetAllocatorWithDefaultOptions: [78, ['void *']],
  SessionEndProfiling: [110, ['void *', 'void *', 'void *']],
  GetAvailableProviders: [125, ['void *', 'void *']],
  ReleaseAvailableProviders: [126, ['void *', 'int']],
  AddSessionConfigEntry: [130, ['void *', 'str', 'str']],
  TensorRtAppend: [170, ['void *', 'void *']],
  TensorRtCreateOptions: [171, ['void *']],
  TensorRtUpdateOptions: [172, ['void *', 'void *', 'void *', 'size_t']],
  CudaAppend: [204, ['void *', 'void *']],
  CudaCreateOptions: [205, ['void *']],
  CudaUpdateOptions: [206, ['void *', 'void *', 'void *', 'size_t']],
  AppendExecutionProvider: [216, ['void *', 'str', 'void *', 'void *', 'size_t']],
} as const satisfies Readonly<Record<string, readonly [position: number, args: readonly string[]]>>

/** Of release 1.14 and later; operators of our own need 1.17. */
const operatorTable = {
  RegisterCustomOpsLibrary: [228, ['void *', 'str']],
} as const satisfies Readonly<Record<string, readonly [position: number, args: readonly string[]]>>

/** Of release 1.22 and later. */
const pluginTable = {
  RegisterExecutionProviderLibrary: [301, ['void *', 'str', 'str']],
  GetEpDevices: [303, ['void *', 'void *', 'void *']],
  AppendDevices: [304, ['void *', 'void *', 'void *', 'size_t', 'void *', 'void *', 'size_t']],
} as const satisfies Readonly<Record<string, readonly [position: number, args: readonly string[]]>>

const pluginRelease = 22
const deviceProviderName = 312

const releases = {
  env: 92,
  status: 93,
  memoryInfo: 94,
  session: 95,
  value: 96,
  typeInfo: 98,
  tensorInfo: 99,
  sessionOptions: 100,
  tensorRtOptions: 174,
  cudaOptions: 208,
} as const

export type OrtFunction = keyof typeof table | keyof typeof operatorTable | keyof typeof pluginTable
export type OrtObject = keyof typeof releases

/** A device that a provider computes on. */
export interface OrtDevice {
  readonly pointer: Pointer
  /** `CPUExecutionProvider`, ... */
  readonly provider: string
}

export interface OrtApi {
  /** Of the library: `1.30.0`. */
  readonly version: string
  /** Names of the execution providers that the library was built with: `CPUExecutionProvider`, ... */
  readonly providers: readonly string[]
  /** Whether providers can come as libraries of their own. */
  readonly hasPlugins: boolean
  /** The devices that the providers of `env` have; only where there are plugins. */
  devices(env: Pointer): readonly OrtDevice[]
  /** Calls a function. Throws `inference.run_failed` with the library's message when its status is not OK. */
  call(name: OrtFunction, ...args: readonly unknown[]): void
  /** Calls a function whose last argument receives a pointer. */
  create(name: OrtFunction, ...args: readonly unknown[]): Pointer
  /** As {@link create}, for a number. */
  count(name: OrtFunction, ...args: readonly unknown[]): number
  release(object: OrtObject, pointer: Pointer): void
}

const loaded = new Map<string, OrtApi>()

/**
 * Loads the library at `path`; it stays loaded. Throws `inference.load_failed` when it is absent, made for another
 * machine, no ONNX Runtime, or too old.
 */
export async function loadOrtApi(path: string): Promise<OrtApi> {
  const known = loaded.get(path)
  if (known !== undefined) return known
  const refuse = (problem: string, cause?: unknown): AgentError =>
    new AgentError('inference.load_failed', `cannot use the ONNX Runtime library ${path}: ${problem}`, {
      cause,
      hint: `name a libonnxruntime.so of release ${oldestRelease} or later, built for ${process.arch}`,
    })
  try {
    await access(path, constants.R_OK)
  } catch (thrown) {
    throw refuse('there is no such file, or it may not be read', thrown)
  }
  const made = ortApiOf(baseOf(path, refuse), refuse)
  loaded.set(path, made)
  return made
}

/** The API that the library whose `OrtApiBase` stands at `base` has for this program. Throws what `refuse` makes. */
export function ortApiOf(base: Pointer, refuse: (problem: string) => AgentError): OrtApi {
  const [getApi, getVersion] = pointersAt(base, 2)
  const version = koffi.call(getVersion, koffi.proto('str', [])) as string
  const api = koffi.call(getApi, koffi.proto('void *', ['uint32_t']), apiVersion) as Pointer | null
  if (isNull(api)) throw refuse(`it is release ${version}, expected ${oldestRelease} or later`)
  return ortApiAt(api, version)
}

function baseOf(path: string, refuse: (problem: string, cause?: unknown) => AgentError): Pointer {
  let library: ReturnType<typeof koffi.load>
  try {
    library = koffi.load(path)
  } catch (thrown) {
    throw refuse(messageOf(thrown), thrown)
  }
  try {
    return (library.func('OrtGetApiBase', 'void *', []) as () => Pointer)()
  } catch (thrown) {
    throw refuse('it has no function OrtGetApiBase, so it is not ONNX Runtime', thrown)
  }
}

type NativeFunction = (...args: readonly unknown[]) => unknown

/** The API whose table of functions stands at `start`. */
function ortApiAt(start: Pointer, version: string): OrtApi {
  const functions = new Map<OrtFunction, NativeFunction>()
  const hasPlugins = Number(version.split('.')[1] ?? 0) >= pluginRelease || !version.startsWith('1.')
  const rows = Object.entries({ ...table, ...operatorTable, ...(hasPlugins ? pluginTable : {}) })
  const last = Math.max(...rows.map(([, [position]]) => position), hasPlugins ? deviceProviderName : 0)
  const slots = pointersAt(start, last + 1)
  for (const [name, [position, args]] of rows) {
    const result = name === 'GetErrorMessage' ? 'str' : 'void *'
    functions.set(
      name as OrtFunction,
      koffi.decode(slots[position]!, koffi.proto(result, [...args])) as NativeFunction,
    )
  }
  const releaseType = koffi.proto('void', ['void *'])
  const api: OrtApi = {
    version,
    providers: [],
    hasPlugins,
    devices: (env) => {
      const nameOf = koffi.decode(
        slots[deviceProviderName]!,
        koffi.proto('str', ['void *']),
      ) as NativeFunction
      const list = new BigUint64Array(1)
      const count = new BigUint64Array(1)
      api.call('GetEpDevices', env, list, count)
      const pointers = count[0] === 0n ? [] : pointersAt(list[0]!, Number(count[0]))
      return pointers.map((pointer) => ({ pointer, provider: nameOf(pointer) as string }))
    },
    call: (name, ...args) => {
      const status = functions.get(name)!(...args) as Pointer | null
      if (isNull(status)) return
      const message = functions.get('GetErrorMessage')!(status) as string
      api.release('status', status)
      throw new AgentError('inference.run_failed', message)
    },
    create: (name, ...args) => {
      const place = new BigUint64Array(1)
      api.call(name, ...args, place)
      return place[0]!
    },
    count: (name, ...args) => Number(api.create(name, ...args)),
    release: (object, pointer) => {
      koffi.call(slots[releases[object]]!, releaseType, pointer)
    },
  }
  return { ...api, providers: availableProviders(api) }
}

function availableProviders(api: OrtApi): readonly string[] {
  const list = new BigUint64Array(1)
  const length = new Int32Array(2)
  api.call('GetAvailableProviders', list, length)
  const names = pointersAt(list[0]!, length[0]!).map((name) => textAt(name))
  api.call('ReleaseAvailableProviders', list[0]!, length[0]!)
  return names
}

function isNull(pointer: Pointer | null): pointer is null {
  return pointer === null || pointer === 0n
}

/** `count` pointers that stand one after the other at `pointer`. */
export function pointersAt(pointer: Pointer, count: number): readonly Pointer[] {
  return [...new BigUint64Array(koffi.view(pointer, count * 8).slice(0))]
}

/** The C string at `pointer`; empty for a null pointer. */
export function textAt(pointer: Pointer): string {
  return pointer === 0n ? '' : (koffi.decode(pointer, 'char', -1) as string)
}

/** The memory of the library at `pointer`, not copied. */
export function memoryAt(pointer: Pointer, byteLength: number): ArrayBuffer {
  return koffi.view(pointer, byteLength)
}

/** Where the bytes of `data` lie; valid as long as its buffer is alive. */
export function addressOf(data: ArrayBufferView): Pointer {
  // Small arrays may lie in the garbage collector's heap and move until their buffer was asked for.
  return koffi.address(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
}

/** C strings that live as long as the result is kept. */
export class CStrings {
  readonly #buffers: readonly Buffer[]
  /** Their addresses, one after the other: a `char **`. */
  readonly pointers: BigUint64Array

  constructor(texts: readonly string[]) {
    this.#buffers = texts.map((text) => Buffer.from(`${text}\0`))
    this.pointers = BigUint64Array.from(this.#buffers.map(addressOf))
  }
}
