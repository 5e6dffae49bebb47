import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ConditionChanges } from '../../../src/agent/selection/condition-changes.js'
import { conditionWatch } from '../../../src/agent/selection/condition-watch.js'
import { systemClock } from '../../../src/base/clock.js'
import { layOutBoard } from '../../helpers/boards.js'

const memory = { memoryTotalBytes: 1, memoryAvailableBytes: 1, throttleReasons: [] }

t.test('a power mode counts when it has lasted, and counts once', (t) => {
  const changes = new ConditionChanges({ powerModeMs: 15, throttleMs: 0 })
  const note = (powerMode: string | undefined, nowMs: number): string | undefined =>
    changes.note({ ...memory, ...(powerMode !== undefined && { powerMode }) }, nowMs)
  t.equal(note('MAXN', 0), undefined, 'the first is what it is')
  t.equal(note('15W', 10), undefined)
  t.equal(note('MAXN', 20), undefined, 'it was for a moment')
  t.equal(note('15W', 30), undefined)
  t.equal(note(undefined, 40), undefined, 'not told is no change')
  t.equal(note('15W', 45), 'the power mode changed from MAXN to 15W')
  t.equal(note('15W', 100), undefined)
  t.end()
})

t.test('heat counts when it stays, and so does its end; 0 switches this off', (t) => {
  const changes = new ConditionChanges({ powerModeMs: 0, throttleMs: 300_000 })
  const never = new ConditionChanges({ powerModeMs: 0, throttleMs: 0 })
  const seen: string[] = []
  for (let second = 0; second < 3600; second += 5) {
    const condition = { ...memory, throttled: second >= 600 && second < 1800 && second !== 700 }
    const reason = changes.note(condition, second * 1000)
    if (reason !== undefined) seen.push(`${second}: ${reason}`)
    t.equal(never.note(condition, second * 1000), undefined)
  }
  t.same(seen, [
    '1005: the machine has been slowed down for 300 s',
    '2100: the machine has been at full speed again for 300 s',
  ])
  t.end()
})

t.test('the watch reads the files of the machine', async (t) => {
  const root = layOutBoard('jetson-orin-nano', t.testdir())
  const reasons: string[] = []
  const watch = conditionWatch({
    limits: { powerModeMs: 0, throttleMs: 0 },
    periodMs: 5,
    clock: systemClock,
    root,
    onChange: (reason) => reasons.push(reason),
  })
  await watch.start()
  await systemClock.sleep(50)
  writeFileSync(join(root, 'var/lib/nvpmodel/status'), 'pmode:0002\n')
  while (reasons.length === 0) await systemClock.sleep(5)
  await watch.stop()
  t.same(reasons, ['the power mode changed from 15W to MAXN_SUPER'])
})
