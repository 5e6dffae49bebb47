/**
 * Which execution providers work here: proven by running a graph on each, because being listed promises nothing.
 * Invariant: the libraries of accelerators, and libraries that are named by the settings, are first loaded in a process that
 * may crash or hang; the agent loads them only after that went well.
 */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../base/clock.js'
import type { ProviderInfo } from '../../protocol/info.js'
import { type ProbedProvider, type ProbeOptions, type ProbeOrder, probeProvider } from './probe-provider.js'
import type { ProbeTask } from './probe-process.js'
import type { ProviderTime } from './time-provider.js'

const processFile = fileURLToPath(new URL('./probe-process.js', import.meta.url))
/** Loading CUDA and TensorRT from a slow card for the first time takes tens of seconds. */
const limitMs = 120_000

/** Tries each provider of `names`, in order. */
export async function probeProviders(
  names: readonly string[],
  options: ProbeOptions = {},
): Promise<readonly ProviderInfo[]> {
  const found: ProviderInfo[] = []
  for (const name of names) {
    // What came along is what the agent runs on anyway.
    const isOwn = name === 'cpu' && options.library === undefined
    const { works, reason } = await (isOwn ? probeProvider : proveProvider)({ name, options })
    found.push({ name, works, ...(reason !== undefined && { reason }) })
  }
  return found
}

/** Tries one provider in a process of its own. */
export async function proveProvider(order: ProbeOrder): Promise<ProbedProvider> {
  const answer = await inProcess<ProbedProvider>({ task: 'prove', order })
  return typeof answer === 'string' ? { name: order.name, works: false, reason: answer } : answer
}

/** Times one provider in a process of its own. */
export async function timeProviderApart(order: ProbeOrder): Promise<ProviderTime> {
  const answer = await inProcess<ProviderTime>({ task: 'time', order })
  return typeof answer === 'string' ? { reason: answer } : answer
}

/** The answer of a process to `task`, or why there is none. */
async function inProcess<Answer extends object>(task: ProbeTask): Promise<Answer | string> {
  const child = fork(processFile, [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [],
  })
  const exited = once(child, 'exit')
  const done = new AbortController()
  try {
    return await Promise.race([
      new Promise<Answer>((resolve) => {
        child.once('message', (answer: Answer) => {
          resolve(answer)
        })
        child.send(task, () => {
          // A process that died before it could take its order is told by its exit.
        })
      }),
      exited.then(([status, signal]): string => {
        const how = signal === null ? `with status ${String(status)}` : `by ${String(signal)}`
        return `its libraries ended the process that tried them, ${how}`
      }),
      systemClock
        .sleep(limitMs, done.signal)
        .then((): string => `it did not answer within ${limitMs / 1000} s`),
    ])
  } finally {
    done.abort()
    child.kill('SIGKILL')
    await exited
  }
}
