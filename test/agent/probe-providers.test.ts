import t from 'tap'
import { probeProviders } from '../../src/agent/probe-providers.js'

t.test('the CPU is proven; what is not here says why', async (t) => {
  const [cpu, coreml, other] = await probeProviders(['cpu', 'coreml', 'abacus'])
  t.same(cpu, { name: 'cpu', works: true })
  t.match(coreml, { name: 'coreml', works: process.platform === 'darwin' })
  t.match(other, { works: false, reason: /abacus/ })
})
