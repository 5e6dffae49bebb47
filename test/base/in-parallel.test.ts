import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { inParallel } from '../../src/base/in-parallel.js'

t.test('results are in the order of the items, and only so many are in work', async (t) => {
  let working = 0
  let most = 0
  const results = await inParallel([5, 1, 4, 2, 3], 2, async (item, index) => {
    most = Math.max(most, ++working)
    await sleep(item)
    working--
    return `${index}:${item}`
  })
  t.same(results, ['0:5', '1:1', '2:4', '3:2', '4:3'])
  t.equal(most, 2)
  t.same(await inParallel([], 3, () => Promise.resolve(1)), [])
})

t.test('the first error ends it, after what is in work', async (t) => {
  const begun: number[] = []
  const ended: number[] = []
  await t.rejects(
    inParallel([0, 1, 2, 3, 4, 5], 2, async (item) => {
      begun.push(item)
      await sleep(item === 1 ? 0 : 5)
      if (item === 1) throw new TypeError('one')
      ended.push(item)
    }),
    new TypeError('one'),
  )
  t.same(begun, [0, 1])
  t.same(ended, [0])
})
