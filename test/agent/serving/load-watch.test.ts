import t from 'tap'
import { LoadWatch } from '../../../src/agent/serving/load-watch.js'
import { systemClock } from '../../../src/base/clock.js'
import { silentLogger } from '../../../src/base/logger.js'

t.test('windows have figures of their own, and none without a beginning', async (t) => {
  const watch = new LoadWatch({ niceness: 5, clock: systemClock, logger: silentLogger })
  t.teardown(() => watch.close())
  t.equal(await watch.end(), undefined)
  for (let window = 0; window < 2; window++) {
    await watch.begin()
    await systemClock.sleep(50)
    const figures = await watch.end()
    t.ok(figures !== undefined && figures.p50Ms > 0 && figures.p95Ms >= figures.p50Ms)
  }
  await watch.begin()
  await watch.close()
  t.equal(await watch.end(), undefined)
})
