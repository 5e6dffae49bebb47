import t from 'tap'
import { type Clock, systemClock } from '../../src/base/clock.js'
import { Pacing } from '../../src/pipeline/pacing.js'

function clockAt(startMs: number): Clock & { nowMs: number } {
  const clock = {
    ...systemClock,
    nowMs: startMs,
    monotonicMs: () => clock.nowMs,
    sleep: (delayMs: number) => {
      clock.nowMs += delayMs
      return Promise.resolve()
    },
  }
  return clock
}

const never = new AbortController().signal

t.test('turns begin one period apart, whatever part of it the work takes', async (t) => {
  const clock = clockAt(1000)
  const pacing = new Pacing(10, clock)
  const begins: number[] = []
  for (const workMs of [30, 99, 0, 60]) {
    await pacing.turn(never)
    begins.push(clock.nowMs)
    clock.nowMs += workMs
  }
  t.same(begins, [1000, 1100, 1200, 1300])
})

t.test('after a long pause there is no burst', async (t) => {
  const clock = clockAt(0)
  const pacing = new Pacing(10, clock)
  await pacing.turn(never)
  clock.nowMs = 5000
  const begins: number[] = []
  for (let turn = 0; turn < 4; turn++) {
    await pacing.turn(never)
    begins.push(clock.nowMs)
  }
  t.ok(begins[3]! - begins[0]! >= 200, `four turns took ${begins[3]! - begins[0]!} ms`)
})

t.test('work slower than the period is never made to wait', async (t) => {
  const clock = clockAt(0)
  const pacing = new Pacing(10, clock)
  for (let turn = 0; turn < 5; turn++) {
    const beforeMs = clock.nowMs
    await pacing.turn(never)
    t.equal(clock.nowMs, beforeMs)
    clock.nowMs += 150
  }
})

t.test('a rate of 0 means no limit', async (t) => {
  const clock = clockAt(0)
  const pacing = new Pacing(0, clock)
  for (let turn = 0; turn < 100; turn++) await pacing.turn(never)
  t.equal(clock.nowMs, 0)
})
