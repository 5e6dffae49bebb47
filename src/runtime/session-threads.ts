/**
 * The worker threads of sessions, kept for the next session after a clean close. What a thread loads leaves memory behind when the thread
 * ends: koffi alone keeps some 50 kB for each (findings/koffi-worker-memory.sh), which adds up over the updates of a year.
 * Invariant: a thread in here has no session, computes nothing and keeps no process alive; one that died is not handed out.
 */

import { Worker } from 'node:worker_threads'

const workerFile = new URL('./session-worker.js', import.meta.url)

/** As many as an update needs at once: the model that serves, and the one that takes over. */
const idleMax = 2

/**
 * A session makes next to no garbage for a frame, so that it needs little room for it: by default V8 lets 48 MB of it come together in
 * each thread.
 */
const resourceLimits = { maxYoungGenerationSizeMb: 4 }

interface IdleThread {
  readonly worker: Worker
  readonly niceness: number
}

const idle: IdleThread[] = []

/** A thread without a session, of that priority or of none yet: a priority that was lowered cannot be raised again. */
export function takeThread(niceness: number): Worker {
  const at = idle.findIndex((thread) => thread.niceness === niceness)
  // No loader or flag of the main thread is inherited: each would be loaded again for every thread.
  if (at < 0) return new Worker(workerFile, { execArgv: [], resourceLimits })
  const [{ worker }] = idle.splice(at, 1) as [IdleThread]
  worker.off('exit', forgetDead)
  worker.off('error', ignore)
  worker.ref()
  return worker
}

/** Keeps a thread whose session is closed; false where there are enough already, and the caller ends it. */
export function keepThread(worker: Worker, niceness: number): boolean {
  if (idle.length >= idleMax) return false
  worker.unref()
  worker.on('exit', forgetDead)
  worker.on('error', ignore)
  idle.push({ worker, niceness })
  return true
}

function forgetDead(this: Worker): void {
  const at = idle.findIndex(({ worker }) => worker === this)
  if (at >= 0) idle.splice(at, 1)
}

/** Its exit follows, and nobody waits for an answer. */
function ignore(): void {
  return undefined
}
