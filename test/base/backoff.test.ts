import t from 'tap'
import { backoffDelayMs } from '../../src/base/backoff.js'
import { seededRandom } from '../../src/base/random.js'

t.test('delays double up to the cap, with jitter in the upper half', (t) => {
  const random = seededRandom(5)
  const options = { firstMs: 100, capMs: 5000 }
  for (let attempt = 0; attempt < 2000; attempt++) {
    const bound = Math.min(5000, 100 * 2 ** Math.min(attempt, 30))
    const delay = backoffDelayMs(attempt, options, random)
    if (!(delay >= bound / 2 && delay < bound))
      t.fail(`attempt ${attempt}: ${delay} not in ${bound / 2}..${bound}`)
  }
  t.pass('all in bounds')
  t.end()
})
