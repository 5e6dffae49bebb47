import t from 'tap'
import { ReferenceLoad } from '../../src/runtime/reference-load.js'
import { ownThreadTimeMs } from '../../src/runtime/thread-time.js'

t.test('the fixed work takes time, on a thread of its own, and ends with it', async (t) => {
  const reference = await ReferenceLoad.open(10)
  t.teardown(() => reference.close())
  const runs = []
  for (let turn = 0; turn < 5; turn++) runs.push(await reference.run())
  t.ok(runs.every(({ wallMs }) => wallMs > 0))
  if (process.platform === 'linux') t.ok(runs.some(({ cpuMs }) => cpuMs! > 0))
  const waiting = reference.run()
  await reference.close()
  await reference.close()
  await t.rejects(waiting, { code: 'inference.worker_died' })
  await t.rejects(reference.run(), { code: 'inference.worker_died' })
})

t.test('the time of a thread grows while it works and stands while it waits', (t) => {
  const skip = process.platform === 'linux' ? false : 'only Linux counts it'
  t.test('on Linux', { skip }, (t) => {
    const beforeMs = ownThreadTimeMs()!
    let sum = 0
    for (let turn = 0; turn < 3e7; turn++) sum += turn % 7
    const workedMs = ownThreadTimeMs()! - beforeMs
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
    const waitedMs = ownThreadTimeMs()! - beforeMs - workedMs
    t.ok(sum > 0 && workedMs > 2 * waitedMs, `${workedMs} ms of work, ${waitedMs} ms of waiting`)
    t.end()
  })
  t.end()
})
