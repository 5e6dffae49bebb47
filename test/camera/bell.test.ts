import t from 'tap'
import { Bell } from '../../src/camera/bell.js'

const never = new AbortController().signal

t.test('a waiter is woken once, and a wake without a waiter is not kept', async (t) => {
  const bell = new Bell()
  bell.wake()
  const waiting = bell.wait(never)
  t.ok(bell.isAwaited)
  bell.wake()
  await waiting
  t.notOk(bell.isAwaited)
})

t.test('an abort ends the wait, also one that came before', async (t) => {
  const bell = new Bell()
  const abort = new AbortController()
  const waiting = bell.wait(abort.signal)
  abort.abort()
  await waiting
  await bell.wait(abort.signal)
  t.notOk(bell.isAwaited)
})

t.test('a second waiter is a programmer error', (t) => {
  const bell = new Bell()
  void bell.wait(never)
  t.throws(() => bell.wait(never), { code: 'internal.invariant_broken' })
  t.end()
})
