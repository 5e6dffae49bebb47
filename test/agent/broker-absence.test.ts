/** A broker that is away is told once a minute, and its return once. */

import t from 'tap'
import { brokerAbsence } from '../../src/agent/broker-absence.js'
import type { Logger } from '../../src/base/logger.js'
import { silentLogger } from '../../src/base/logger.js'
import { TestClock } from '../helpers/test-clock.js'

t.test('a line a minute while the broker is away', async (t) => {
  const clock = new TestClock()
  const lines: string[] = []
  const keep =
    (level: string) =>
    (fields: object, message: string): void => {
      lines.push(`${level} ${message} ${JSON.stringify(fields)}`)
    }
  const logger: Logger = { ...silentLogger, info: keep('info'), warn: keep('warn') }
  const link = { isOnline: true, lastError: undefined as { message: string } | undefined }
  const watch = brokerAbsence(link, clock, logger)
  await watch.start()
  const minute = async (): Promise<void> => {
    clock.advance(60_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await minute()
  t.same(lines, [])
  link.isOnline = false
  await minute()
  link.lastError = { message: 'it refused' }
  await minute()
  link.isOnline = true
  await minute()
  await minute()
  t.same(lines, [
    'warn the broker is away; reports wait on disk {"minutes":1,"reason":"it has not answered yet"}',
    'warn the broker is away; reports wait on disk {"minutes":2,"reason":"it refused"}',
    'info the broker is back {"minutes":2}',
  ])
  await watch.stop()
})
