/**
 * Processor time of threads: of one session, which are its worker and the threads that ONNX Runtime started in it, and of the
 * calling one.
 * Invariant: those of a session are found by their name alone, which Linux hands on to every thread that a thread starts; where
 * a system keeps no such figures there is none, never a guess.
 */

import { readdir, readFile } from 'node:fs/promises'
import { readFileSync, writeFileSync } from 'node:fs'

/** The name of the threads of the session in worker `threadId`; at most 15 bytes, as the kernel keeps it. */
export function sessionThreadName(threadId: number): string {
  return `infer-${threadId}`
}

/** Names the calling thread; every thread that it starts from here on has the name as well. */
export function nameThread(name: string): void {
  try {
    writeFileSync('/proc/thread-self/comm', name)
  } catch {
    // Without the name there are no figures, and everything else works.
  }
}

/** Time on a processor of all threads of this process called `name`, milliseconds; undefined where nobody counts it. */
export async function threadTimeMs(name: string): Promise<number | undefined> {
  const folder = '/proc/self/task'
  let totalMs: number | undefined
  for (const task of await readdir(folder).catch(() => [])) {
    const comm = await readFile(`${folder}/${task}/comm`, 'utf8').catch(() => '')
    if (comm.trim() !== name) continue
    const ms = millisecondsIn(await readFile(`${folder}/${task}/schedstat`, 'utf8').catch(() => ''))
    if (ms !== undefined) totalMs = (totalMs ?? 0) + ms
  }
  return totalMs
}

const neverWoken = new Int32Array(new SharedArrayBuffer(4))
/** Long enough that the kernel takes the thread off its processor, milliseconds. */
const pauseMs = 0.05

/**
 * Time on a processor of the calling thread, milliseconds; undefined where nobody counts it. Puts the thread to sleep for a
 * moment: the kernel brings the count of a thread up to date when it leaves its processor, otherwise only at each tick.
 */
export function ownThreadTimeMs(): number | undefined {
  Atomics.wait(neverWoken, 0, 0, pauseMs)
  try {
    return millisecondsIn(readFileSync('/proc/thread-self/schedstat', 'utf8'))
  } catch {
    return undefined
  }
}

/** Nanoseconds on a processor come first (proc_pid_schedstat in the kernel's documentation). */
function millisecondsIn(times: string): number | undefined {
  const ns = Number(times.split(' ')[0])
  return times !== '' && Number.isFinite(ns) ? ns / 1e6 : undefined
}
