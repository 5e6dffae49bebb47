/**
 * Memory that was freed, back to the system: the C library keeps it for the thread that took it, and each model has had threads
 * of its own.
 * Invariant: never on the calling thread, which would stop for it; where the C library has no such function nothing happens.
 */

import koffi from 'koffi'

type Trim = (padBytes: number, done: (error: unknown) => void) => void

let trim: Trim | undefined | 'unknown' = 'unknown'

/** malloc_trim(3) of glibc, which has looked through the memory of all threads since version 2.8. */
function loadTrim(): Trim | undefined {
  try {
    return koffi.load('libc.so.6').func('int malloc_trim(size_t pad)').async as Trim
  } catch {
    return undefined
  }
}

/** Gives back what models and trials have freed; resolves when that has happened. Never rejects. */
export function returnFreedMemory(): Promise<void> {
  if (trim === 'unknown') trim = loadTrim()
  const call = trim
  if (call === undefined) return Promise.resolve()
  return new Promise((resolve) => {
    call(0, () => {
      resolve()
    })
  })
}
