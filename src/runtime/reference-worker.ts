/**
 * The thread of the reference load: a chain of multiplications and additions over 1 MiB of numbers, four times.
 * Invariant: no run depends on an earlier one, except that the first ones are for the compiler of the engine.
 */

import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { present } from '../base/assert.js'
import { systemClock } from '../base/clock.js'
import type { ReferenceRequest, ReferenceRun } from './messages.js'
import { ownThreadTimeMs } from './thread-time.js'

const port = present(parentPort, 'the reference load runs as a worker thread')
const numbers = new Float32Array(1 << 18).fill(1.5)
const passes = 4
/** Runs after which the engine has compiled the loop. */
const warmUpRuns = 8
/** Keeps the result from being computed in vain. */
const sink = new Float64Array(1)

function work(): void {
  let sum = 0
  for (let pass = 0; pass < passes; pass++)
    for (let index = 0; index < numbers.length; index++) sum = sum * 0.999 + numbers[index]!
  sink[0] = sum
}

function run(): ReferenceRun {
  const beforeMs = ownThreadTimeMs()
  const startMs = systemClock.monotonicMs()
  work()
  const wallMs = systemClock.monotonicMs() - startMs
  const afterMs = ownThreadTimeMs()
  const isCounted = beforeMs !== undefined && afterMs !== undefined
  return { wallMs, ...(isCounted && { cpuMs: afterMs - beforeMs }) }
}

const { niceness } = workerData as ReferenceRequest
if (process.platform === 'linux' && niceness > 0) setPriority(0, niceness)
let last = run()
for (let turn = 1; turn < warmUpRuns; turn++) last = run()
port.postMessage(last satisfies ReferenceRun)
port.on('message', () => {
  port.postMessage(run() satisfies ReferenceRun)
})
