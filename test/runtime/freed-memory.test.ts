import t from 'tap'
import { returnFreedMemory } from '../../src/runtime/freed-memory.js'

t.test('it ends, and may be asked several times at once', async (t) => {
  await Promise.all([returnFreedMemory(), returnFreedMemory()])
  await returnFreedMemory()
  t.pass('nothing is thrown')
})
