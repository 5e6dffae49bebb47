import t from 'tap'
import { systemClock } from '../../src/base/clock.js'
import { Pace } from '../../src/camera/pace.js'

/** A clock that jumps over each sleep and notes it. */
function leapingClock(): { clock: typeof systemClock; sleeps: number[]; pass: (ms: number) => void } {
  let nowMs = 0
  const sleeps: number[] = []
  const sleep = (delayMs: number): Promise<void> => {
    sleeps.push(delayMs)
    nowMs += delayMs
    return Promise.resolve()
  }
  const pass = (ms: number): void => {
    nowMs += ms
  }
  return { clock: { ...systemClock, monotonicMs: () => nowMs, sleep }, sleeps, pass }
}

const { signal } = new AbortController()

t.test('the first frame is due at once, the others in rhythm', async (t) => {
  const { clock, sleeps, pass } = leapingClock()
  const pace = new Pace(10, clock)
  await pace.wait(signal)
  pass(30)
  await pace.wait(signal)
  pass(20)
  await pace.wait(signal)
  t.same(sleeps, [70, 80])
})

t.test('a late frame does not make the next ones hurry', async (t) => {
  const { clock, sleeps, pass } = leapingClock()
  const pace = new Pace(10, clock)
  await pace.wait(signal)
  pass(1000)
  await pace.wait(signal)
  await pace.wait(signal)
  t.same(sleeps, [100])
})

t.test('without a rate nothing waits', async (t) => {
  const { clock, sleeps } = leapingClock()
  const pace = new Pace(undefined, clock)
  await pace.wait(signal)
  await pace.wait(signal)
  t.same(sleeps, [])
})
