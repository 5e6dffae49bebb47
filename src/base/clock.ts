/**
 * The only source of time, delays and repetition.
 * Invariant: code that waits does so through a Clock, so that a test can make it wait no time at all.
 */

export interface Clock {
  /** Wall time, milliseconds since 1970-01-01 UTC; may jump. */
  wallMs(): number
  /** Monotonic time in milliseconds, with fractions; only differences have a meaning. */
  monotonicMs(): number
  /** Resolves after `delayMs`, or at once when `signal` aborts; never rejects. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
  /** Calls `action` each `periodMs` until the returned function is called. Does not keep the process alive. */
  every(periodMs: number, action: () => void): () => void
}

/** The clock of the machine. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (delayMs, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve()
        return
      }
      const done = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, delayMs)
      signal?.addEventListener('abort', done, { once: true })
    }),
  every: (periodMs, action) => {
    const timer = setInterval(action, periodMs)
    timer.unref()
    return () => {
      clearInterval(timer)
    }
  },
}
