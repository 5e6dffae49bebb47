/**
 * A library of ONNX Runtime with TensorRT in it, made of callbacks: a table of C functions like the real one's, at the
 * positions of onnxruntime_c_api.h, called through the same FFI. It builds "engines" as the TensorRT provider does: at the
 * opening of a session, into its cache folder, unless one lies there.
 * Invariant: it takes what a real one takes and refuses what a real one refuses; it counts the objects that are alive.
 */

import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import koffi from 'koffi'
import { AgentError } from '../../src/base/errors.js'
import {
  memoryAt,
  ortApiOf,
  type OrtApi,
  type Pointer,
  pointersAt,
  textAt,
} from '../../src/runtime/native/ort-api.js'

const tableLength = 320
const knownOptions =
  /^(device_id|trt_(engine_cache_(enable|path)|timing_cache_(enable|path)|fp16_enable|int8_enable|dla_enable|dla_core|max_workspace_size))$/

export class FakeOrt {
  readonly api: OrtApi
  /** What every session was opened with: its provider options, and whether its engine was built or loaded. */
  readonly opened: {
    readonly options: Readonly<Record<string, string>>
    readonly engine: 'built' | 'loaded' | 'none'
  }[] = []
  /** Providers in the order in which they were added. */
  readonly appended: string[] = []
  readonly #alive = new Map<Pointer, string>()
  readonly #options = new Map<Pointer, Record<string, string>>()
  readonly #providerOptionsOf = new Map<Pointer, Record<string, string>>()
  readonly #messages = new Map<Pointer, string>()
  readonly #kept: unknown[] = []
  /** Addresses that no memory stands behind: handles are only compared. */
  #nextHandle = 0x1000n

  /** `newestApi` is the minor number of its release: 23 for 1.23. */
  constructor(newestApi = 23) {
    const table = new BigUint64Array(tableLength)
    const at = (
      position: number,
      result: string,
      args: readonly string[],
      call: (...args: never[]) => unknown,
    ): void => {
      const type = koffi.pointer(koffi.proto(result, [...args]))
      table[position] = koffi.address(koffi.register(call, type))
    }
    const pointers = (count: number): string[] => new Array<string>(count).fill('void *')
    const status = (position: number, args: readonly string[], call: (...args: never[]) => void): void => {
      at(position, 'void *', args, (...given) =>
        this.#guarded(() => {
          call(...given)
        }),
      )
    }
    status(0, pointers(1), () => {
      throw new Error('the fake library has no such function')
    })
    table.fill(table[0]!)
    at(2, 'void *', pointers(1), (bad: Pointer) => this.#text(this.#messages.get(bad) ?? ''))
    status(3, ['int', 'str', 'void *'], (_level: number, _id: string, out: Pointer) => {
      this.#make('env', out)
    })
    status(
      7,
      ['void *', 'str', 'void *', 'void *'],
      (_env: Pointer, _path: string, settings: Pointer, out: Pointer) => {
        this.#openSession(settings, out)
      },
    )
    status(
      8,
      ['void *', 'void *', 'size_t', 'void *', 'void *'],
      (_env: Pointer, _data: Pointer, _size: number, settings: Pointer, out: Pointer) => {
        this.#openSession(settings, out)
      },
    )
    status(
      9,
      ['void *', 'void *', 'void *', 'void *', 'size_t', 'void *', 'size_t', 'void *'],
      () => undefined,
    )
    status(
      49,
      ['void *', 'void *', 'size_t', 'void *', 'size_t', 'int', 'void *'],
      (
        _info: Pointer,
        _data: Pointer,
        _size: number,
        _dims: Pointer,
        _rank: number,
        _type: number,
        out: Pointer,
      ) => {
        this.#make('value', out)
      },
    )
    status(10, pointers(1), (out: Pointer) => {
      this.#make('settings', out)
    })
    for (const position of [22, 23, 24, 25]) status(position, ['void *', 'int'], () => undefined)
    for (const position of [30, 31])
      status(position, pointers(2), (_session: Pointer, out: Pointer) => {
        write(out, 0n)
      })
    status(69, ['int', 'int', 'void *'], (_kind: number, _memory: number, out: Pointer) => {
      this.#make('memoryInfo', out)
    })
    status(78, pointers(1), (out: Pointer) => {
      write(out, 1n)
    })
    status(125, pointers(2), (names: Pointer, length: Pointer) => {
      const list = ['TensorrtExecutionProvider', 'CUDAExecutionProvider', 'CPUExecutionProvider'].map(
        (name) => this.#text(name),
      )
      write(names, this.#keep(BigUint64Array.from(list)))
      new Int32Array(memoryAt(length, 4))[0] = list.length
    })
    status(126, ['void *', 'int'], () => undefined)
    status(130, ['void *', 'str', 'str'], () => undefined)
    status(170, pointers(2), (settings: Pointer, own: Pointer) => {
      this.appended.push('tensorrt')
      this.#providerOptionsOf.set(settings, this.#options.get(own) ?? {})
    })
    status(171, pointers(1), (out: Pointer) => {
      this.#options.set(this.#make('tensorRtOptions', out), {})
    })
    status(
      172,
      ['void *', 'void *', 'void *', 'size_t'],
      (own: Pointer, keys: Pointer, values: Pointer, count: number) => {
        this.#update(own, keys, values, count)
      },
    )
    status(204, pointers(2), () => {
      this.appended.push('cuda')
    })
    status(205, pointers(1), (out: Pointer) => {
      this.#make('cudaOptions', out)
    })
    status(206, ['void *', 'void *', 'void *', 'size_t'], () => undefined)
    for (const position of [92, 93, 94, 95, 96, 98, 99, 100, 174, 208])
      at(position, 'void', pointers(1), (handle: Pointer) => {
        this.#release(handle)
      })
    const getApi = koffi.register(
      (wanted: number) => (wanted <= newestApi ? this.#keep(table) : 0n),
      koffi.pointer(koffi.proto('void *', ['uint32_t'])),
    )
    const getVersion = koffi.register(
      () => this.#text(`1.${newestApi}.0`),
      koffi.pointer(koffi.proto('void *', [])),
    )
    const base = BigUint64Array.from([koffi.address(getApi), koffi.address(getVersion)])
    this.api = ortApiOf(this.#keep(base), (problem) => new AgentError('inference.load_failed', problem))
  }

  /** Objects that were made and not released, by kind. */
  get alive(): readonly string[] {
    return [...this.#alive.values()].sort()
  }

  #guarded(call: () => void): Pointer | null {
    try {
      call()
      return null
    } catch (thrown) {
      const bad = this.#handle('status')
      this.#messages.set(bad, thrown instanceof Error ? thrown.message : String(thrown))
      return bad
    }
  }

  #openSession(settings: Pointer, out: Pointer): void {
    const options = this.#providerOptionsOf.get(settings) ?? {}
    const folder = options['trt_engine_cache_path']
    if (options['trt_engine_cache_enable'] !== '1' || folder === undefined)
      this.opened.push({ options, engine: 'none' })
    else {
      if (!existsSync(folder)) throw new Error(`TensorRT EP failed to create cache directory ${folder}`)
      const isThere = readdirSync(folder).some((name) => name.endsWith('.engine'))
      if (!isThere)
        writeFileSync(join(folder, 'TensorrtExecutionProvider_TRTKernel_graph_1_0_0_sm87.engine'), 'engine')
      this.opened.push({ options, engine: isThere ? 'loaded' : 'built' })
    }
    this.#make('session', out)
  }

  #update(own: Pointer, keys: Pointer, values: Pointer, count: number): void {
    const [names, texts] = [keys, values].map((list) => pointersAt(list, count).map(textAt)) as [
      string[],
      string[],
    ]
    const unknown = names.find((name) => !knownOptions.test(name))
    if (unknown !== undefined) throw new Error(`Unknown provider option: "${unknown}"`)
    const options = this.#options.get(own)!
    for (const [index, name] of names.entries()) options[name] = texts[index]!
  }

  #make(kind: string, out: Pointer): Pointer {
    const handle = this.#handle(kind)
    write(out, handle)
    return handle
  }

  #handle(kind: string): Pointer {
    const handle = (this.#nextHandle += 16n)
    this.#alive.set(handle, kind)
    return handle
  }

  #release(handle: Pointer): void {
    if (!this.#alive.delete(handle)) throw new Error(`object ${handle} is released twice, or never was`)
  }

  #text(text: string): Pointer {
    return this.#keep(Buffer.from(`${text}\0`))
  }

  /** Native code holds the address: the memory stays as long as this object. */
  #keep(data: Uint8Array | BigUint64Array): Pointer {
    this.#kept.push(data)
    return koffi.address(data)
  }
}

function write(place: Pointer, value: Pointer): void {
  new BigUint64Array(memoryAt(place, 8))[0] = value
}
