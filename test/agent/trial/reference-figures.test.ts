import t from 'tap'
import { referenceFigures } from '../../../src/agent/trial/reference-figures.js'

t.test('medians and the 95th percentile', (t) => {
  const runs = Array.from({ length: 101 }, (_, index) => ({ wallMs: 100 - index, cpuMs: (100 - index) / 2 }))
  t.same(referenceFigures(runs), { p50Ms: 50, p95Ms: 95, cpuMs: 25 })
  t.same(referenceFigures([{ wallMs: 3 }]), { p50Ms: 3, p95Ms: 3 })
  t.equal(referenceFigures([]), undefined)
  t.end()
})
