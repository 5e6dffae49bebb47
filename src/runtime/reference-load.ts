/**
 * A fixed piece of work, timed: what this machine is worth at this moment. Load of others, heat and a lower clock slow it as
 * they slow a model, so a model is judged by its time beside the time of this.
 * Invariant: the work is the same on every machine and in every version; it runs on a thread of its own.
 */

import { Worker } from 'node:worker_threads'
import { AgentError, messageOf } from '../base/errors.js'
import type { ReferenceRequest, ReferenceRun } from './messages.js'

const workerFile = new URL('./reference-worker.js', import.meta.url)
/** The work needs 1 MiB outside the heap; a heap of this size keeps the thread small, MiB. */
const resourceLimits = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 }

/** The thread of the fixed work. */
export class ReferenceLoad {
  readonly #worker: Worker
  #waiting: { resolve: (run: ReferenceRun) => void; reject: (error: AgentError) => void } | undefined
  #failure: AgentError | undefined

  private constructor(niceness: number) {
    this.#worker = new Worker(workerFile, {
      execArgv: [],
      resourceLimits,
      workerData: { niceness } satisfies ReferenceRequest,
    })
    this.#worker.on('message', (reply: ReferenceRun) => {
      this.#waiting?.resolve(reply)
      this.#waiting = undefined
    })
    const end = (reason: string): void => {
      this.#failure ??= new AgentError('inference.worker_died', `the reference thread ended: ${reason}`)
      this.#waiting?.reject(this.#failure)
      this.#waiting = undefined
    }
    this.#worker.on('error', (thrown) => {
      end(messageOf(thrown))
    })
    this.#worker.on('exit', (status) => {
      end(`status ${status}`)
    })
  }

  /** Starts the thread at `niceness` (0 to 19, on Linux) and runs it warm. Throws `inference.worker_died`. */
  static async open(niceness: number): Promise<ReferenceLoad> {
    const reference = new ReferenceLoad(niceness)
    await reference.#next()
    return reference
  }

  /** Does the work once; one call at a time. Throws `inference.worker_died`. */
  run(): Promise<ReferenceRun> {
    this.#worker.postMessage('run')
    return this.#next()
  }

  /** Ends the thread. Idempotent. */
  async close(): Promise<void> {
    this.#failure ??= new AgentError('inference.worker_died', 'the reference is closed')
    await this.#worker.terminate()
  }

  #next(): Promise<ReferenceRun> {
    return new Promise((resolve, reject) => {
      if (this.#failure === undefined) this.#waiting = { resolve, reject }
      else reject(this.#failure)
    })
  }
}
