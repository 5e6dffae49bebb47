import t from 'tap'
import { systemClock } from '../../src/base/clock.js'
import { AgentError } from '../../src/base/errors.js'
import { silentLogger } from '../../src/base/logger.js'
import { RepeatLog } from '../../src/pipeline/repeat-log.js'

t.test('the same fault is logged once a period, and the next line counts what was left out', (t) => {
  const lines: object[] = []
  let nowMs = 0
  const logger = { ...silentLogger, warn: (fields: object) => lines.push(fields) }
  const log = new RepeatLog(logger, { ...systemClock, monotonicMs: () => nowMs }, 1000)
  const full = new AgentError('resource.disk_full', 'no room')
  for (; nowMs < 2500; nowMs += 100) log.warn(full, 'a sink failed')
  log.warn(new Error('else'), 'a sink failed')
  t.match(lines, [
    { code: 'resource.disk_full', reason: 'no room', left_out: 0 },
    { left_out: 9 },
    { left_out: 9 },
    { code: 'unknown', reason: 'else', left_out: 0 },
  ])
  t.equal(lines.length, 4)
  t.end()
})
