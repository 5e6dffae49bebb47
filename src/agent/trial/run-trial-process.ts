/**
 * Runs a trial in a process that may crash, hang or take all memory.
 * Invariant: whatever the process does, the promise resolves within the limits, and the process is gone by then.
 */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../base/clock.js'
import type { ErrorCode } from '../../base/errors.js'
import type { WireError } from '../../protocol/deployment.js'
import type { TrialFindings, TrialMessage, TrialOrder } from './messages.js'

export interface TrialLimits {
  /** The longest time without progress, milliseconds: one inference, or loading the model. */
  readonly stallMs: number
  /** The most resident memory of the process. */
  readonly memoryBytes: number
}

export type TrialOutcome =
  | { readonly state: 'measured'; readonly findings: TrialFindings }
  | { readonly state: 'failed'; readonly error: WireError }

export interface TrialRun {
  readonly limits: TrialLimits
  readonly clock: Clock
  readonly signal: AbortSignal
  onProgress(progress: number): void
}

const processFile = fileURLToPath(new URL('./trial-process.js', import.meta.url))
const watchPeriodMs = 100
/** The last words of a process that died: enough for the reason, not for a dump. */
const lastWordsLength = 300

export async function runTrialProcess(order: TrialOrder, run: TrialRun): Promise<TrialOutcome> {
  if (run.signal.aborted) return failed('deployment.run_interrupted', 'the trial was ended before it began')
  const child = fork(processFile, [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [],
  })
  const watch = new TrialWatch(child, run)
  try {
    child.send(order, () => {
      // A process that died before it could take its order is told by its exit.
    })
    return await watch.outcome
  } finally {
    watch.stop()
    await ended(child)
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

/** Waits for the first of: an outcome, an end, a limit, an abort. */
class TrialWatch {
  readonly outcome: Promise<TrialOutcome>
  readonly #run: TrialRun
  readonly #child: ChildProcess
  readonly #stops: (() => void)[] = []
  #settle: (outcome: TrialOutcome) => void = () => undefined
  #lastWords = ''
  #progressMs: number

  constructor(child: ChildProcess, run: TrialRun) {
    this.#child = child
    this.#run = run
    this.#progressMs = run.clock.monotonicMs()
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-lastWordsLength)
    })
    child.on('message', (message: TrialMessage) => {
      this.#receive(message)
    })
    child.on('error', (thrown) => {
      this.#settle(failed('deployment.trial_failed', `cannot start the trial process: ${thrown.message}`))
    })
    child.on('close', (status, signal) => {
      const how = signal === null ? `with status ${status}` : `by ${signal}`
      const words = this.#lastWords.trim().replaceAll(/\s+/g, ' ')
      const said = words === '' ? '' : `: ${words}`
      this.#settle(failed('inference.worker_died', `the model ended its trial process ${how}${said}`))
    })
    const abort = (): void => {
      this.#settle(failed('deployment.run_interrupted', 'the trial was ended before its end'))
    }
    run.signal.addEventListener('abort', abort, { once: true })
    this.#stops.push(
      () => {
        run.signal.removeEventListener('abort', abort)
      },
      run.clock.every(watchPeriodMs, () => {
        void this.#checkLimits()
      }),
    )
  }

  stop(): void {
    for (const stop of this.#stops) stop()
  }

  #receive(message: TrialMessage): void {
    // That an opening still lasts is no sign of life: it may hang.
    if (message.kind !== 'opening') this.#progressMs = this.#run.clock.monotonicMs()
    if (message.kind === 'progress' || message.kind === 'opening') this.#run.onProgress(message.progress)
    else if (message.kind === 'failed') this.#settle({ state: 'failed', error: message.error })
    else this.#settle({ state: 'measured', findings: message.findings })
  }

  async #checkLimits(): Promise<void> {
    const { limits, clock } = this.#run
    if (clock.monotonicMs() - this.#progressMs > limits.stallMs) {
      const seconds = (limits.stallMs / 1000).toFixed(0)
      this.#settle(failed('inference.run_failed', `the model made no progress for ${seconds} s in its trial`))
    }
    const residentBytes = await residentBytesOf(this.#child.pid)
    if (residentBytes > limits.memoryBytes) {
      const [took, allowed] = [residentBytes, limits.memoryBytes].map((bytes) => (bytes / 1e6).toFixed(0))
      const problem = `the model took ${took} MB of memory in its trial, ${allowed} MB are allowed`
      this.#settle(failed('resource.memory_exhausted', problem))
    }
  }
}

/** 0 when the process is gone. */
async function residentBytesOf(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
}

function failed(code: ErrorCode, message: string): TrialOutcome {
  return { state: 'failed', error: { code, message } }
}
