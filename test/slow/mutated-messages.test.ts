import t from 'tap'
import { readMutated } from '../helpers/mutated-messages.js'

// tap ends a test after 30 s unless told otherwise.
t.setTimeout(1_800_000)

t.test('100,000 damaged wishes, manifests and commands: none is believed, none does harm', (t) => {
  const figures = readMutated(100_000, 1_000_000)
  t.comment(JSON.stringify(figures))
  t.same(figures.accepted, [])
  t.same(figures.crashes, [])
  t.ok(figures.heapGrowthBytes < 500e6, `heap grew by ${figures.heapGrowthBytes} bytes`)
  t.end()
})
