/**
 * Loops in WebAssembly, for arithmetic on which the time of a whole command hangs: modules are written as text, NAME.wat, beside the file
 * that uses them, and assembled into NAME.ts by deploy/assemble-kernels.mjs.
 * Invariant: memory never grows, so arrays over it stay valid.
 */

import { wrapError } from './errors.js'

/** What is used here of the interface that browsers' types describe and Node's do not. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Memory: new <Shared extends boolean>(options: {
    readonly initial: number
    readonly maximum: number
    readonly shared: Shared
  }) => { readonly buffer: Shared extends true ? SharedArrayBuffer : ArrayBuffer }
  readonly Instance: new (module: object, imports: object) => { readonly exports: object }
}

/** Memory of modules, in which other threads may read and write as well. */
export interface KernelMemory {
  readonly buffer: SharedArrayBuffer
}

/** Memory of modules in one thread, which native libraries take as well; their bindings refuse shared memory. */
export interface ThreadMemory {
  readonly buffer: ArrayBuffer
}

const pageBytes = 65_536

/** At least `bytes` of zeros for `purpose`. Throws `resource.memory_exhausted`. */
export function reserveMemory(bytes: number, purpose: string): KernelMemory {
  return reserve(bytes, purpose, true)
}

/** Reserves memory as {@link reserveMemory} does, but for one thread alone. */
export function reserveThreadMemory(bytes: number, purpose: string): ThreadMemory {
  return reserve(bytes, purpose, false)
}

function reserve<Shared extends boolean>(
  bytes: number,
  purpose: string,
  shared: Shared,
): { readonly buffer: Shared extends true ? SharedArrayBuffer : ArrayBuffer } {
  const pages = Math.max(1, Math.ceil(bytes / pageBytes))
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared })
  } catch (thrown) {
    const problem = `cannot reserve ${Math.ceil(bytes / 1e6)} MB for ${purpose}`
    throw wrapError(thrown, 'resource.memory_exhausted', problem)
  }
}

/** The functions of a module, working on `memory`. */
export type Kernels<T, Memory = KernelMemory> = (memory: Memory) => T

/** Compiles `module` (base64), whose exports are those of `T`; its text says which kind of memory it takes. */
export function kernelsOf<T, Memory = KernelMemory>(module: string): Kernels<T, Memory> {
  const compiled = new WebAssembly.Module(Buffer.from(module, 'base64'))
  // What a module exports stands in its text; the compiler of this file cannot see it.
  return (memory) => new WebAssembly.Instance(compiled, { host: { memory } }).exports as T
}
