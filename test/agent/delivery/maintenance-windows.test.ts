import t from 'tap'
import { maintenanceWindows } from '../../../src/agent/delivery/maintenance-windows.js'
import type { Clock } from '../../../src/base/clock.js'
import { systemClock } from '../../../src/base/clock.js'

/** A clock that waits no time: each sleep moves its wall time on, and `steps` may set it elsewhere after so many sleeps. */
function steppedClock(startMs: number, steps: ReadonlyMap<number, number> = new Map()) {
  const slept: number[] = []
  let wallMs = startMs
  const clock: Clock = {
    ...systemClock,
    wallMs: () => wallMs,
    sleep: (delayMs) => {
      slept.push(delayMs)
      wallMs = steps.get(slept.length) ?? wallMs + delayMs
      return Promise.resolve()
    },
  }
  return { clock, slept }
}

const at = (hours: number, minutes = 0): number => new Date(2026, 6, 15, hours, minutes).getTime()

t.test('without windows, and within one, nothing is waited for', async (t) => {
  for (const windows of [[], ['22:00-05:00']]) {
    const { clock, slept } = steppedClock(at(23))
    await maintenanceWindows(windows, clock).waitForTrial(new AbortController().signal, () =>
      t.fail('no wait'),
    )
    t.same(slept, [])
  }
})

t.test('it waits for the next window, and says once how long', async (t) => {
  const { clock, slept } = steppedClock(at(21, 57))
  const told: number[] = []
  await maintenanceWindows(['22:00-05:00'], clock).waitForTrial(new AbortController().signal, (leftMs) => {
    told.push(leftMs)
  })
  t.same(told, [180_000])
  t.same(slept, [60_000, 60_000, 60_000])
})

t.test('a clock that is set meanwhile ends or prolongs the wait within a minute', async (t) => {
  const forward = steppedClock(at(12), new Map([[2, at(22, 30)]]))
  await maintenanceWindows(['22:00-05:00'], forward.clock).waitForTrial(
    new AbortController().signal,
    () => undefined,
  )
  t.equal(forward.slept.length, 2)
})

t.test('an aborted wait ends', async (t) => {
  const abort = new AbortController()
  const { clock } = steppedClock(at(12))
  await maintenanceWindows(['22:00-05:00'], clock).waitForTrial(abort.signal, () => {
    abort.abort()
  })
  t.ok(abort.signal.aborted)
})
