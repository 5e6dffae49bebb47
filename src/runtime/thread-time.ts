/**
 * Processor time of the threads of one session: its worker and the threads that ONNX Runtime started in it.
 * Invariant: found by their name alone, which Linux hands on to every thread that a thread starts; where a system keeps no such
 * figures there is none, never a guess.
 */

import { readdir, readFile } from 'node:fs/promises'
import { writeFileSync } from 'node:fs'

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
    // Nanoseconds on a processor come first (proc_pid_schedstat in the kernel's documentation).
    const times = await readFile(`${folder}/${task}/schedstat`, 'utf8').catch(() => '')
    const ns = Number(times.split(' ')[0])
    if (times !== '' && Number.isFinite(ns)) totalMs = (totalMs ?? 0) + ns / 1e6
  }
  return totalMs
}
