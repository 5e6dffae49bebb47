import t from 'tap'
import { type LoadedModel, ModelSlot } from '../../src/pipeline/model-slot.js'

interface Watched extends LoadedModel {
  closes: number
}

function watched(version: string): Watched {
  const model: Watched = {
    closes: 0,
    identity: { model: 'm', version, variant: 'v' },
    detector: {
      description: { inputWidth: 32, inputHeight: 32, classNames: [] },
      detect: () =>
        Promise.resolve({ detections: [], timings: { preprocessMs: 0, inferenceMs: 0, decodeMs: 0 } }),
      close: () => {
        model.closes++
        return Promise.resolve()
      },
    },
  }
  return model
}

t.test('the old model is closed after the last frame that began with it, and not before', async (t) => {
  const [first, second] = [watched('1'), watched('2')]
  const slot = new ModelSlot(first)
  const [a, b] = [slot.lease(), slot.lease()]
  const swapped = slot.swap(second)
  t.equal(slot.current, second)
  t.equal(slot.lease().identity.version, '2')
  a.release()
  await Promise.resolve()
  t.equal(first.closes, 0)
  b.release()
  await swapped
  t.equal(first.closes, 1)
  t.equal(second.closes, 0)
})

t.test('two swaps at once close both old models once', async (t) => {
  const models = [watched('1'), watched('2'), watched('3')] as const
  const slot = new ModelSlot(models[0])
  const lease = slot.lease()
  const swaps = [slot.swap(models[1]), slot.swap(models[2])]
  lease.release()
  await Promise.all(swaps)
  t.same(
    models.map((model) => model.closes),
    [1, 1, 0],
  )
  await Promise.all([slot.close(), slot.close()])
  t.equal(models[2].closes, 1)
})

t.test('using a closed slot and releasing a lease twice are programming errors', async (t) => {
  const slot = new ModelSlot(watched('1'))
  const lease = slot.lease()
  lease.release()
  t.throws(() => {
    lease.release()
  })
  await new ModelSlot(watched('2')).close()
  const closed = new ModelSlot(watched('3'))
  await closed.close()
  t.throws(() => closed.lease(), { code: 'internal.invariant_broken' })
  await t.rejects(closed.swap(watched('4')), { code: 'internal.invariant_broken' })
})
