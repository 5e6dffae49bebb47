/** The thread of a KernelPartner: waits for an order, carries it out, says so. Invariant: it reads an order only after it was given. */

import { workerData } from 'node:worker_threads'
import { type KernelFunctions, orderCell, type PartnerOrders } from './kernel-partner.js'
import { kernelsOf } from './web-assembly.js'

const { module, memory, cells, values } = workerData as PartnerOrders
const kernels = Object.values(kernelsOf<KernelFunctions>(module)(memory))

function say(done: number): void {
  Atomics.store(cells, orderCell.done, done)
  Atomics.notify(cells, orderCell.done)
}

say(0)
for (let done = 0; ; done++) {
  Atomics.wait(cells, orderCell.given, done)
  const kernel = kernels[cells[orderCell.kernel]!]
  if (kernel === undefined) break
  values[0] = kernel(...values.subarray(0, cells[orderCell.count])) ?? 0
  say(done + 1)
}
