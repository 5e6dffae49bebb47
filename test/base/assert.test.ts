import t from 'tap'
import { invariant, present, unreachable } from '../../src/base/assert.js'

t.test('a claim that holds passes, one that does not names itself', (t) => {
  invariant(true, 'never told')
  t.throws(
    () => {
      invariant(false, 'slots are free')
    },
    { code: 'internal.invariant_broken', message: /slots are free/ },
  )
  t.equal(present(0, 'zero is a value'), 0)
  t.throws(() => present<number>(undefined, 'it was set'), { message: /it was set/ })
  t.throws(
    () => {
      unreachable('new-kind' as never)
    },
    { message: /new-kind/ },
  )
  t.end()
})
