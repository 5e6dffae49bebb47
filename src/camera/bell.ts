/** Wakes one waiter. Invariant: a wait ends by a wake or by its signal, and never rejects. */

import { invariant } from '../base/assert.js'

export class Bell {
  #wakeWaiter: (() => void) | undefined

  /** Whether somebody waits. */
  get isAwaited(): boolean {
    return this.#wakeWaiter !== undefined
  }

  /** Resolves at the next wake, or when `signal` aborts. One waiter at a time. */
  wait(signal: AbortSignal): Promise<void> {
    invariant(this.#wakeWaiter === undefined, 'one waiter at a time')
    return new Promise((resolve) => {
      const done = (): void => {
        this.#wakeWaiter = undefined
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#wakeWaiter = done
      if (signal.aborted) done()
      else signal.addEventListener('abort', done, { once: true })
    })
  }

  /** Ends the wait of whoever waits; without a waiter nothing happens. */
  wake(): void {
    this.#wakeWaiter?.()
  }
}
