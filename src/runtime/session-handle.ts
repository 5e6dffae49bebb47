/**
 * The caller's side of a session: the worker thread that it has for itself, and the calls that wait for its answers.
 * Invariant: every call settles, also when the thread dies; after close() or a death every further call fails at once.
 */

import './telemetry-off.js'
import type { Worker } from 'node:worker_threads'
import { AgentError, messageOf } from '../base/errors.js'
import type {
  DetectRequest,
  DetectResult,
  ModelSource,
  OpenRequest,
  PackedError,
  Reply,
  Request,
  RunRequest,
  RunResult,
  SessionInfo,
} from './messages.js'
import { defaultNiceness, type SessionOptions } from './session-options.js'
import { keepThread, takeThread } from './session-threads.js'
import { sessionThreadName, threadTimeMs } from './thread-time.js'
import type { PackedTensor } from './tensor.js'

interface PendingCall {
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: AgentError) => void
}

export class SessionHandle {
  readonly #niceness: number
  /** A library of its own may have left the thread in any state. */
  #keepsThread: boolean
  #hasLeft = false
  readonly #worker: Worker
  readonly #threadName: string
  /** Settles when the thread is no longer this session's. */
  readonly #left: Promise<void>
  readonly #pending = new Map<number, PendingCall>()
  #opening: PendingCall | undefined
  #closed: (() => void) | undefined
  #nextId = 0
  /** Why no call can be made any more. */
  #ended: AgentError | undefined

  /** Takes a thread for the session that `open` opens with the same `options`. */
  constructor({ niceness = defaultNiceness, library }: SessionOptions) {
    this.#niceness = niceness
    this.#keepsThread = library === undefined
    this.#worker = takeThread(niceness)
    this.#threadName = sessionThreadName(this.#worker.threadId)
    this.#left = new Promise((resolve) => {
      this.#worker.on('message', this.#receive)
      this.#worker.on('error', this.#fail)
      const exited = (status: number): void => {
        this.#end(new AgentError('inference.worker_died', `the inference thread ended with status ${status}`))
        resolve()
      }
      this.#worker.once('exit', exited)
      this.#closed = () => {
        if (this.#keepsThread && keepThread(this.#worker, this.#niceness)) {
          this.#worker.off('message', this.#receive)
          this.#worker.off('error', this.#fail)
          this.#worker.off('exit', exited)
          this.#hasLeft = true
          resolve()
        } else this.#worker.postMessage({ kind: 'close', keepsThread: false } satisfies Request)
      }
    })
  }

  /** Time on a processor of the session's threads so far, milliseconds; undefined where nobody counts it. */
  cpuMs(): Promise<number | undefined> {
    return threadTimeMs(this.#threadName)
  }

  /** Loads the model; the bytes are copied. On failure the thread is gone when this rejects. */
  async open(request: OpenRequest): Promise<SessionInfo> {
    const { source, transfer } = transferable(request.source)
    const reply = await new Promise<Reply>((resolve, reject) => {
      this.#opening = { resolve, reject }
      this.#worker.postMessage({ ...request, source } satisfies Request, transfer)
    })
    if (reply.kind === 'opened') return reply.info
    await this.terminate()
    if (reply.kind === 'open-failed') throw unpackError(reply.error)
    throw unexpected(reply)
  }

  /** Runs on `feeds`, whose buffers are taken and come back with the result. */
  async run(feeds: readonly PackedTensor[], fetches: readonly string[] | undefined): Promise<RunResult> {
    const request: Omit<RunRequest, 'id'> = { kind: 'run', feeds, fetches }
    const reply = await this.#call(
      request,
      feeds.map((feed) => feed.buffer),
    )
    if (reply.kind !== 'ran') throw unexpected(reply)
    return reply
  }

  async detect(request: Omit<DetectRequest, 'id'>): Promise<DetectResult> {
    const reply = await this.#call(request)
    if (reply.kind !== 'detected') throw unexpected(reply)
    return reply.result
  }

  /** Lets the calls under way finish, then frees what the session took. Idempotent. */
  async close(): Promise<void> {
    if (this.#ended === undefined) {
      this.#worker.postMessage({ kind: 'close', keepsThread: this.#keepsThread } satisfies Request)
      this.#ended = new AgentError(
        'inference.worker_died',
        'the session is closed, expected no call after close',
      )
    }
    await this.#left
  }

  /**
   * Fails every call at once and ends the thread as soon as the computation under way returns. Idempotent.
   * The thread is asked, not killed: ONNX Runtime aborts the whole process when its thread is killed in a run.
   */
  async terminate(): Promise<void> {
    this.#end(new AgentError('inference.worker_died', 'the inference thread was ended'))
    this.#keepsThread = false
    if (!this.#hasLeft) this.#worker.postMessage({ kind: 'close', keepsThread: false } satisfies Request)
    await this.#left
  }

  #call(
    request: Omit<RunRequest, 'id'> | Omit<DetectRequest, 'id'>,
    transfer?: ArrayBuffer[],
  ): Promise<Reply> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    const id = this.#nextId++
    return new Promise<Reply>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject })
      this.#worker.postMessage({ ...request, id } satisfies Request, transfer)
    })
  }

  readonly #receive = (reply: Reply): void => {
    switch (reply.kind) {
      case 'opened':
      case 'open-failed':
        this.#opening?.resolve(reply)
        this.#opening = undefined
        return
      case 'ran':
      case 'detected':
        this.#take(reply.id)?.resolve(reply)
        return
      case 'failed':
        this.#take(reply.id)?.reject(unpackError(reply.error))
        return
      case 'closed':
        this.#closed?.()
    }
  }

  readonly #fail = (thrown: unknown): void => {
    this.#end(
      new AgentError('inference.worker_died', `the inference thread died: ${messageOf(thrown)}`, {
        cause: thrown,
      }),
    )
  }

  #take(id: number): PendingCall | undefined {
    const call = this.#pending.get(id)
    this.#pending.delete(id)
    return call
  }

  #end(error: AgentError): void {
    this.#ended ??= error
    this.#opening?.reject(error)
    this.#opening = undefined
    const calls = [...this.#pending.values()]
    this.#pending.clear()
    for (const call of calls) call.reject(error)
  }
}

function transferable(source: ModelSource): {
  readonly source: ModelSource
  readonly transfer: ArrayBuffer[]
} {
  if ('path' in source) return { source, transfer: [] }
  // A copy of exactly the bytes: cloning a view would take the whole buffer behind it along.
  const bytes = new Uint8Array(source.bytes)
  return { source: { bytes }, transfer: [bytes.buffer] }
}

function unpackError(error: PackedError): AgentError {
  return new AgentError(error.code, error.message, error.hint === undefined ? {} : { hint: error.hint })
}

function unexpected(reply: Reply): AgentError {
  return new AgentError(
    'internal.invariant_broken',
    `the inference thread answered ${reply.kind} to another request`,
  )
}
