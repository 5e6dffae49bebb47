/** The numbers of the proof tell the formats apart, and this machine's CPU computes in float32. */

import t from 'tap'
import { precisionOf, proofInput, proofModel } from '../../../src/agent/probe/precision-proof.js'
import { openTensorSession } from '../../../src/runtime/tensor-session.js'

/** `value` with `bits` bits of fraction, to the nearest. */
function rounded(value: number, bits: number): number {
  const step = 2 ** (Math.floor(Math.log2(Math.abs(value))) - bits)
  return Math.round(value / step) * step
}

const input = [...proofInput().data]

t.test('what a format does to the numbers is named after it', (t) => {
  t.equal(precisionOf(input), 'float32')
  t.equal(precisionOf(input.map((value) => rounded(value, 10))), 'tfloat32')
  t.equal(precisionOf(input.map((value) => rounded(value, 7))), 'bfloat16')
  const half = input.map((value) => (value > 65_504 ? Number.POSITIVE_INFINITY : rounded(value, 10)))
  t.equal(precisionOf(half), 'float16')
  t.equal(precisionOf(half.map((value) => (value > 65_504 ? Number.NaN : value))), 'float16')
  t.equal(precisionOf(input.map((value) => rounded(value, 3))), undefined)
  t.equal(precisionOf(input.map(() => 0)), undefined)
  t.equal(precisionOf(input.slice(1)), undefined)
  t.end()
})

t.test('the CPU gives back what goes in', async (t) => {
  const session = await openTensorSession(proofModel(), { intraOpThreads: 1 })
  t.teardown(() => session.close())
  const output = (await session.run(new Map([['x', proofInput()]]))).get('y')
  t.equal(precisionOf(output!.data), 'float32')
})
