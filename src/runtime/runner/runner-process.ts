/**
 * A runner command under way: lines in, lines out, one request at a time.
 * Invariant: every request settles: with a line, with the end of the process, or with its limit, which ends the process.
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { createInterface } from 'node:readline'
import type { Clock } from '../../base/clock.js'
import { AgentError } from '../../base/errors.js'

/** The last words of a runner that died: enough for the reason, not for a dump. */
const lastWordsLength = 300
/** How long a runner may take to end by itself once its input has ended. */
const endingMs = 3_000

interface Waiting {
  readonly resolve: (line: string) => void
  readonly reject: (error: AgentError) => void
}

export class RunnerProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #name: string
  readonly #clock: Clock
  readonly #exited: Promise<unknown>
  #waiting: Waiting | undefined
  #lastWords = ''
  #ended: AgentError | undefined

  /** Starts `command`: a program and its arguments; no shell. A program that cannot be started fails the first request. */
  constructor(command: readonly string[], clock: Clock) {
    const [program = '', ...args] = command
    this.#name = program
    this.#clock = clock
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#exited = new Promise((resolve) => this.#child.once('close', resolve))
    this.#child.on('error', (thrown) => {
      this.#end(
        new AgentError('inference.provider_unavailable', `cannot start runner ${program}: ${thrown.message}`),
      )
    })
    this.#child.on('close', (status, signal) => {
      const how = signal === null ? `with status ${status}` : `by ${signal}`
      const words = this.#lastWords.trim().replaceAll(/\s+/g, ' ')
      const said = words === '' ? '' : `: ${words}`
      this.#end(new AgentError('inference.worker_died', `runner ${program} ended ${how}${said}`))
    })
    this.#child.stdin.on('error', () => {
      // A runner that closes its input ends; its exit tells why.
    })
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-lastWordsLength)
    })
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#waiting?.resolve(line)
      this.#waiting = undefined
    })
  }

  /**
   * Sends a request, and `payload` (borrowed until the promise settles) after its line; resolves to the line that answers.
   * Throws `inference.worker_died`, `inference.provider_unavailable`, or `inference.run_failed` after `limitMs`.
   */
  async request(message: object, limitMs: number, payload?: Uint8Array): Promise<string> {
    if (this.#ended !== undefined) throw this.#ended
    const answer = new Promise<string>((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
    const { stdin } = this.#child
    stdin.write(`${JSON.stringify(message)}\n`)
    if (payload !== undefined) stdin.write(payload)
    const answered = new AbortController()
    const limit = this.#clock.sleep(limitMs, answered.signal).then(() => {
      if (answered.signal.aborted) return
      const seconds = (limitMs / 1000).toFixed(0)
      this.#end(
        new AgentError('inference.run_failed', `runner ${this.#name} did not answer for ${seconds} s`),
      )
      this.kill()
    })
    try {
      return await answer
    } finally {
      answered.abort()
      await limit
    }
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  /** Ends the input; a runner that stays is killed. Idempotent. */
  async close(): Promise<void> {
    this.#ended ??= new AgentError('inference.worker_died', `runner ${this.#name} was ended`)
    this.#child.stdin.end()
    const done = new AbortController()
    const limit = this.#clock.sleep(endingMs, done.signal).then(() => {
      if (!done.signal.aborted) this.kill()
    })
    await this.#exited
    done.abort()
    await limit
  }

  #end(error: AgentError): void {
    this.#ended ??= error
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }
}
