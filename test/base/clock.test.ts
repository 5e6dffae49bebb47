import t from 'tap'
import { systemClock } from '../../src/base/clock.js'

t.test('sleep ends after its delay, and at once when aborted', async (t) => {
  const before = systemClock.monotonicMs()
  await systemClock.sleep(20)
  t.ok(systemClock.monotonicMs() - before >= 19)
  const abort = new AbortController()
  const sleeping = systemClock.sleep(3_600_000, abort.signal)
  abort.abort()
  await sleeping
  await systemClock.sleep(3_600_000, AbortSignal.abort())
  t.pass('both ended')
})

t.test('every repeats until it is stopped', async (t) => {
  let count = 0
  const stop = systemClock.every(5, () => count++)
  await systemClock.sleep(60)
  stop()
  const seen = count
  t.ok(seen >= 2)
  await systemClock.sleep(30)
  t.equal(count, seen)
})

t.test('wall time is the time of day', (t) => {
  t.ok(Math.abs(systemClock.wallMs() - new Date().getTime()) < 1000)
  t.end()
})
