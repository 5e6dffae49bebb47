import t from 'tap'
import { fewestFloatLayers } from '../../../src/compress/quantization/accuracy-control.js'

t.test('the fewest float layers that keep the limit are found, whichever number that is', async (t) => {
  const layers = 57
  for (let needed = 0; needed <= layers; needed++) {
    const drop = (count: number): Promise<number> => Promise.resolve(count >= needed ? 0.004 : 0.02)
    const { floatLayers, trials } = await fewestFloatLayers(layers, 0.005, drop)
    t.equal(floatLayers, needed)
    t.ok(trials.length <= 13, `${trials.length} models measured`)
    if (needed > 0) t.ok(trials.some((trial) => trial.floatLayers === needed && trial.drop <= 0.005))
  }
})

t.test('a limit that no model keeps leaves every layer float', async (t) => {
  const { floatLayers, trials } = await fewestFloatLayers(5, 0, () => Promise.resolve(0.1))
  t.equal(floatLayers, 5)
  t.same(trials[0], { floatLayers: 0, drop: 0.1 })
})

t.test('a model without loss is measured once', async (t) => {
  const { floatLayers, trials } = await fewestFloatLayers(57, 0.005, () => Promise.resolve(-0.001))
  t.equal(floatLayers, 0)
  t.equal(trials.length, 1)
})
