/**
 * Lines as the journal of systemd takes them: a number in front says how grave each is (sd-daemon(3)), so that
 * `journalctl -p warning` shows what matters.
 * Invariant: without the journal at the other end a line stays as it is.
 */

import { fstatSync } from 'node:fs'

/** By the levels of pino: the priority of syslog, of the highest level that is not above. */
const priorities: readonly (readonly [level: number, priority: number])[] = [
  [60, 2],
  [50, 3],
  [40, 4],
  [30, 6],
]
const debugPriority = 7

/** Whether what is written to `descriptor` goes to the journal: systemd names the device and the inode of its stream. */
export function goesToJournal(
  descriptor: number,
  env: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  const [device, inode] = env['JOURNAL_STREAM']?.split(':') ?? []
  if (device === undefined || inode === undefined) return false
  try {
    const found = fstatSync(descriptor, { bigint: true })
    return String(found.dev) === device && String(found.ino) === inode
  } catch {
    // The stream is closed.
    return false
  }
}

/** A line of the log, which begins with its level, with its priority in front. */
export function withPriority(line: string): string {
  const level = Number(/^\{"level":(\d+)/.exec(line)?.[1] ?? 30)
  const priority = priorities.find(([least]) => level >= least)?.[1] ?? debugPriority
  return `<${priority}>${line}`
}

/** The sentence of an error that ends the program, each line with its priority in front. */
export function errorWithPriority(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '<3>')
}
