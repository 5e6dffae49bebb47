import t from 'tap'
import { seededRandom } from '../../../src/base/random.js'
import { VectorMemory, wholeLanes } from '../../../src/training/optimization/vector-memory.js'

const count = 40

function filled(memory: VectorMemory, seed: number): Float32Array {
  const random = seededRandom(seed)
  const values = memory.take()
  for (let at = 0; at < values.length; at++) values[at] = 2 * random.next() - 1
  return values
}

t.test('arrays have whole lanes and lie side by side', (t) => {
  t.same([0, 1, 4, 5].map(wholeLanes), [0, 4, 4, 8])
  const memory = new VectorMemory(5, 2)
  const [first, second] = [memory.take(), memory.take()]
  t.equal(first.length, 8)
  first.fill(1)
  t.same(
    [...second],
    Array.from(second, () => 0),
  )
  t.end()
})

t.test('no more arrays than were asked for', (t) => {
  const memory = new VectorMemory(65_536, 1)
  memory.take()
  t.throws(() => memory.take(), { code: 'internal.invariant_broken' })
  t.end()
})

t.test('more than there can be is refused in one sentence', (t) => {
  t.throws(() => new VectorMemory(2 ** 30, 5), {
    code: 'resource.memory_exhausted',
    message: /^cannot reserve 21475 MB/,
  })
  t.end()
})

t.test('kernels take ranges of their own memory only', (t) => {
  const memory = new VectorMemory(count, 1)
  const own = memory.take()
  t.throws(() => memory.sumOfSquares(new Float32Array(count)), { code: 'internal.invariant_broken' })
  t.throws(() => memory.sumOfSquares(own.subarray(0, 3)), { code: 'internal.invariant_broken' })
  t.throws(() => memory.sumOfSquares(own.subarray(0, 0)), { code: 'internal.invariant_broken' })
  t.end()
})

t.test('squares are summed, each once, to a millionth', (t) => {
  for (const length of [4, 8, 12, 16, 20, 1020, 1024, 1028, 5000, 16_396]) {
    const memory = new VectorMemory(length, 2)
    const values = filled(memory, length)
    memory.take().fill(100)
    const expected = values.reduce((sum, value) => sum + value * value, 0)
    t.ok(Math.abs(memory.sumOfSquares(values) / expected - 1) < 1e-6, `of ${length}`)
    for (const at of [0, length >> 2, length - 1]) {
      const value = values[at]!
      values[at] = NaN
      t.ok(Number.isNaN(memory.sumOfSquares(values)), `the one at ${at} of ${length}`)
      values[at] = value
    }
  }
  t.end()
})

t.test('a blend moves by its share, and the range alone', (t) => {
  const memory = new VectorMemory(count, 2)
  const [into, from] = [filled(memory, 1), filled(memory, 2)]
  const before = into.slice()
  memory.blend(into.subarray(8, 20), from.subarray(8, 20), 0.25)
  into.forEach((value, at) => {
    const expected = at < 8 || at >= 20 ? before[at]! : 0.75 * before[at]! + 0.25 * from[at]!
    t.ok(Math.abs(value - expected) < 1e-6, `${at}: ${value}, expected ${expected}`)
  })
  t.end()
})

t.test('two threads give the same bits as one', async (t) => {
  const length = 70_000
  const step = { scale: 0.5, meanShare: 0.1, squareShare: 0.001, kept: 0.999, stride: 1e-3, spread: 1.5 }
  const results: number[][] = []
  for (const threads of [1, 2]) {
    const memory = new VectorMemory(length, 5, threads)
    const [weights, mean, square, gradient, velocity] = [1, 2, 3, 4, 5].map((seed) => filled(memory, seed))
    square!.forEach((value, at) => (square![at] = value * value))
    while (threads > 1 && !memory.isShared) await new Promise((resolve) => setTimeout(resolve, 5))
    const sum = memory.sumOfSquares(gradient!)
    memory.adamW(weights!, mean!, square!, gradient!, step)
    memory.sgd(weights!, velocity!, gradient!, { scale: 0.5, rate: 0.01, momentum: 0.9, decay: 0.001 })
    t.equal(memory.isShared, threads > 1)
    await memory.close()
    t.notOk(memory.isShared)
    const after = memory.sumOfSquares(gradient!)
    t.equal(after, sum, 'once closed, it goes on alone')
    results.push([sum, ...weights!, ...mean!, ...square!, ...velocity!])
  }
  t.ok(results[0]!.every((value, at) => Object.is(value, results[1]![at])))
})
