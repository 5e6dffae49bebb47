import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { orderCell, type PartnerOrders } from '../../src/base/kernel-partner.js'
import { kernelsOf, reserveMemory } from '../../src/base/web-assembly.js'
import { vectorKernels } from '../../src/training/optimization/vector-kernels.js'

t.test(
  'the thread says when it is ready, carries out orders in turn, and ends when there is none',
  async (t) => {
    const memory = reserveMemory(64, 'a test')
    new Float32Array(memory.buffer).set([1, 2, 3, 4])
    const cells = new Int32Array(new SharedArrayBuffer(16))
    const values = new Float64Array(new SharedArrayBuffer(128))
    cells[orderCell.done] = -1
    const orders: PartnerOrders = { module: vectorKernels, memory, cells, values }
    const worker = new Worker(new URL('../../src/base/kernel-worker.js', import.meta.url), {
      workerData: orders,
      execArgv: [],
    })
    const ended = once(worker, 'exit')
    const doneAfter = async (done: number): Promise<number> => {
      while (Atomics.load(cells, orderCell.done) < done)
        await new Promise((resolve) => setTimeout(resolve, 2))
      return cells[orderCell.done]!
    }
    t.equal(await doneAfter(0), 0, 'ready')
    const names = Object.keys(kernelsOf<object>(vectorKernels)(memory))
    const give = (kernel: number, order: number): void => {
      cells[orderCell.kernel] = kernel
      cells[orderCell.count] = 2
      Atomics.store(cells, orderCell.given, order)
      Atomics.notify(cells, orderCell.given)
    }
    for (const order of [1, 2]) {
      values.set([0, 4])
      give(names.indexOf('sumOfSquares'), order)
      t.equal(await doneAfter(order), order)
      t.equal(values[0], 30)
    }
    give(-1, 3)
    t.same(await ended, [0])
    t.equal(cells[orderCell.done], 2, 'the end is no order that is carried out')
  },
)
