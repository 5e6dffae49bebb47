/**
 * Asks V8 to collect garbage now, for the rare moments after which much of it is known to be left.
 * Invariant: costs the event loop a few milliseconds each time; never used per frame.
 */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

let collect: (() => void) | undefined

/**
 * A whole collection. V8 counts the objects on its heap, not the native memory that some of them hold (threads, sessions), and
 * would let those pile up on a heap that hardly grows.
 */
export function collectGarbage(): void {
  collect ??= exposed()
  collect()
}

function exposed(): () => void {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  return typeof gc === 'function' ? (gc as () => void) : () => undefined
}
