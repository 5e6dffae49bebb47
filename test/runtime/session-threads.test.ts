import t from 'tap'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import type { Worker } from 'node:worker_threads'
import type { Tensor } from '../../src/onnx/tensor.js'
import { defaultNiceness } from '../../src/runtime/session-options.js'
import { keepThread, takeThread } from '../../src/runtime/session-threads.js'
import { openTensorSession } from '../../src/runtime/tensor-session.js'
import { elementwiseModel } from '../helpers/tiny-model.js'

const vector = (...values: number[]): Tensor => ({
  type: 'float32',
  dims: [values.length],
  data: Float32Array.from(values),
})

/** Names of the threads of this process that sessions compute in. */
async function sessionThreads(): Promise<readonly string[]> {
  const tasks = await readdir('/proc/self/task')
  const names = await Promise.all(
    tasks.map((task) => readFile(`/proc/self/task/${task}/comm`, 'utf8').catch(() => '')),
  )
  return [...new Set(names.map((name) => name.trim()).filter((name) => name.startsWith('infer-')))].sort()
}

async function product(left: number, right: number): Promise<number> {
  const session = await openTensorSession(elementwiseModel('Mul', [1]))
  const feeds = new Map([
    ['x', vector(left)],
    ['y', vector(right)],
  ])
  const { data } = (await session.run(feeds)).get('out') as { data: Float32Array }
  await session.close()
  return data[0]!
}

async function ended(worker: Worker): Promise<void> {
  worker.ref()
  const exit = once(worker, 'exit')
  worker.postMessage({ kind: 'close', keepsThread: false })
  await exit
}

t.test('one session after another computes in the same thread', async (t) => {
  t.equal(await product(2, 3), 6)
  const first = await sessionThreads()
  for (let turn = 1; turn <= 5; turn++) t.equal(await product(turn, 7), 7 * turn)
  if (process.platform === 'linux') t.same(await sessionThreads(), first)
})

t.test('sessions that are open together have threads of their own', async (t) => {
  const open = await Promise.all(
    [2, 3, 4].map(async (factor) => ({
      factor,
      session: await openTensorSession(elementwiseModel('Mul', [1])),
    })),
  )
  const results = await Promise.all(
    open.map(({ factor, session }) =>
      session.run(
        new Map([
          ['x', vector(factor)],
          ['y', vector(10)],
        ]),
      ),
    ),
  )
  t.same(
    results.map((outputs) => (outputs.get('out') as { data: Float32Array }).data[0]),
    [20, 30, 40],
  )
  await Promise.all(open.map(({ session }) => session.close()))
})

t.test('a session that could not be opened leaves its thread to nobody', async (t) => {
  await t.rejects(openTensorSession(new Uint8Array(10)), { code: 'inference.load_failed' })
  t.equal(await product(3, 3), 9)
})

t.test('only so many wait, each for sessions of its priority, and none that has ended', async (t) => {
  const before = [takeThread(defaultNiceness), takeThread(defaultNiceness)]
  const [first, second, third] = [takeThread(0), takeThread(0), takeThread(0)]
  t.ok(keepThread(first, 3))
  t.ok(keepThread(second, 3))
  t.notOk(keepThread(third, 3), 'more than two')
  const other = takeThread(0)
  t.not(other, first, 'another priority')
  await ended(first)
  t.equal(takeThread(3), second)
  const fresh = takeThread(3)
  t.not(fresh, first, 'one that has ended')
  for (const worker of [...before, second, third, other, fresh]) await ended(worker)
})
