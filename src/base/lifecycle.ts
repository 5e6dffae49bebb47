/**
 * Starting and stopping what a process is made of.
 * Invariant: what was started is stopped exactly once, in reverse order, also when a later start fails.
 */

import { invariant } from './assert.js'

export interface Service {
  /** The name by which a log says which service did not start or stop. */
  readonly name: string
  /** Acquires what the service needs; constructors acquire nothing. */
  start(): Promise<void>
  /** Releases everything; idempotent. */
  stop(): Promise<void>
}

export class Lifecycle {
  readonly #started: Service[] = []
  #stopping: Promise<void> | undefined

  /** Starts one more service. When it fails, what is already running stays running: call stop(). */
  async start(service: Service): Promise<void> {
    invariant(this.#stopping === undefined, `nothing starts after stop, got ${service.name}`)
    await service.start()
    this.#started.push(service)
  }

  /**
   * Stops every started service, newest first. A failing stop does not keep the others from stopping:
   * its error goes to `onError`.
   */
  stop(onError: (service: Service, error: unknown) => void): Promise<void> {
    this.#stopping ??= this.#stopAll(onError)
    return this.#stopping
  }

  async #stopAll(onError: (service: Service, error: unknown) => void): Promise<void> {
    for (let service = this.#started.pop(); service !== undefined; service = this.#started.pop()) {
      try {
        await service.stop()
      } catch (error) {
        onError(service, error)
      }
    }
  }
}
