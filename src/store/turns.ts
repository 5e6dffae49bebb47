/** Runs asynchronous actions one after another. Invariant: an action begins only when the one before has settled. */

export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  /** Runs `action` when those before it are done; settles as it does. A failed action does not stop the next. */
  run<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(action)
    // The failure belongs to the caller of run; here it only ends the turn.
    this.#last = turn.catch(() => undefined)
    return turn
  }
}
