import t from 'tap'
import { collectGarbage } from '../../src/base/collect-garbage.js'

t.test('what nobody holds is gone afterwards', async (t) => {
  let held: object | undefined = {}
  const watched = new WeakRef(held)
  // A reference that was read stays alive until the end of its job.
  await new Promise((resolve) => setImmediate(resolve))
  collectGarbage()
  t.ok(watched.deref() !== undefined, 'what is held stays')
  t.ok(held)
  held = undefined
  await new Promise((resolve) => setImmediate(resolve))
  collectGarbage()
  t.equal(watched.deref(), undefined)
})
