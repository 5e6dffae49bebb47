/**
 * Timers of the page's worker in place of the browser's own: the build puts them where scripts say `setTimeout`.
 * A browser lets nested timers of 0 ms wait for 4 ms (HTML standard, "timer initialization steps"); the MQTT client takes
 * several of them for each message, which would hold it to some 40 messages a second.
 * Invariant: a task is a task of its own here as well: messages of the page come in between.
 */

type Task = () => void

const waiting = new Map<number, Task>()
const channel = new MessageChannel()
let lastId = 0

channel.port1.onmessage = ({ data }: MessageEvent<number>) => {
  const task = waiting.get(data)
  waiting.delete(data)
  task?.()
}

/**
 * Sets a timer as the browser's function does; without a delay the task is run as soon as what is before it is done. The ids of such
 * tasks are negative.
 */
export function setTimeout<T extends readonly unknown[]>(
  action: (...args: T) => void,
  delayMs = 0,
  ...args: T
): number {
  const task: Task = () => {
    action(...args)
  }
  if (delayMs > 0) return self.setTimeout(task, delayMs)
  const id = --lastId
  waiting.set(id, task)
  channel.port2.postMessage(id)
  return id
}

/** Clears a timer of either kind, as the browser's function does. */
export function clearTimeout(id?: number): void {
  if (id === undefined || !waiting.delete(id)) self.clearTimeout(id)
}
