/** Time in a browser. Invariant: the only place of the page that sets timers. */

/** Wall time, milliseconds since 1970. */
export const wallMs = (): number => Date.now()

/** Monotonic time in milliseconds. */
export const monotonicMs = (): number => performance.now()

/** Calls `action` each `periodMs` until the returned function is called. */
export function every(periodMs: number, action: () => void): () => void {
  const timer = setInterval(action, periodMs)
  return () => {
    clearInterval(timer)
  }
}

/** Calls `action` once after `delayMs` unless the returned function is called before. */
export function after(delayMs: number, action: () => void): () => void {
  const timer = setTimeout(action, delayMs)
  return () => {
    clearTimeout(timer)
  }
}
