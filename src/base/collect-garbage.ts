/**
 * Asks V8 to collect garbage now, for the rare moments after which much of it is known to be left.
 * Invariant: costs the event loop a few milliseconds each time; never used per frame.
 */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

type Collect = (options?: { readonly type: 'minor' }) => void

let collect: Collect | undefined

/**
 * A whole collection. V8 counts the objects on its heap, not the native memory that some of them hold (threads, sessions), and
 * would let those pile up on a heap that hardly grows.
 */
export function collectGarbage(): void {
  collect ??= exposed()
  collect()
}

/** A collection of what was made a moment ago only, in a millisecond or two: buffers that were received and thrown away. */
export function collectRecentGarbage(): void {
  collect ??= exposed()
  collect({ type: 'minor' })
}

function exposed(): Collect {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  return typeof gc === 'function' ? (gc as Collect) : () => undefined
}
