import t from 'tap'
import { KernelPartner } from '../../src/base/kernel-partner.js'
import { kernelsOf, reserveMemory } from '../../src/base/web-assembly.js'
import { vectorKernels } from '../../src/training/optimization/vector-kernels.js'

interface Kernels {
  sumOfSquares(at: number, count: number): number
  blend(into: number, from: number, count: number, share: number): void
}

async function ready(partner: KernelPartner): Promise<void> {
  while (!partner.isReady) await new Promise((resolve) => setTimeout(resolve, 5))
}

t.test('orders are carried out one after the other, in the memory of both', async (t) => {
  const memory = reserveMemory(1024, 'a test')
  const values = new Float32Array(memory.buffer, 0, 256)
  const kernels = kernelsOf<Kernels>(vectorKernels)(memory)
  const partner = new KernelPartner(vectorKernels, memory, kernels)
  t.notOk(partner.isReady, 'a thread needs time to start')
  t.throws(
    () => {
      partner.begin('sumOfSquares', [0, 4])
    },
    { code: 'internal.invariant_broken' },
  )
  await ready(partner)
  values.set([1, 2, 3, 4, 10, 20, 30, 40])
  for (const pauseMs of [0, 50]) {
    partner.begin('sumOfSquares', [0, 4])
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
    t.notOk(partner.isReady)
    t.throws(
      () => {
        partner.begin('sumOfSquares', [0, 4])
      },
      { code: 'internal.invariant_broken' },
      `one at a time, ${pauseMs} ms after the first`,
    )
    t.equal(partner.end(), 30)
  }
  t.throws(() => partner.end(), { code: 'internal.invariant_broken' }, 'an end without an order')
  for (const rounds of [1, 2, 3, 4]) {
    partner.begin('blend', [0, 16, 4, 0.5])
    kernels.blend(32, 16, 4, 1)
    t.equal(partner.end(), 0, 'a kernel that writes returns nothing')
    const first = 10 - 9 * 0.5 ** rounds
    t.same([...values.subarray(0, 12)].map(Number), [
      ...[1, 2, 3, 4].map((k) => k * first),
      10,
      20,
      30,
      40,
      10,
      20,
      30,
      40,
    ])
  }
  await partner.close()
  t.notOk(partner.isReady)
  await partner.close()
})

t.test('a partner whose module does not compile never becomes ready, and closes', async (t) => {
  const memory = reserveMemory(1024, 'a test')
  const partner = new KernelPartner('bm90IGEgbW9kdWxl', memory, {})
  await new Promise((resolve) => setTimeout(resolve, 300))
  t.notOk(partner.isReady)
  await partner.close()
})
