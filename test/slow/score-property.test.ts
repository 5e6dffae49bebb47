/** The property of score-property.test.ts in the fast tests, for many more random detectors. */

import t from 'tap'
import { graphRunner } from '../../src/cli/compress/graph-runner.js'
import { lossesOf } from '../helpers/score-losses.js'

t.setTimeout(1_500_000)

const runner = graphRunner({ intraOpThreads: 1 })
const first = 1000
const cases = 300

t.test('a score above 0.5 in float loses at most 0.1 in int8, beside what rounding takes', async (t) => {
  let capped = 0
  for (let seed = first; seed < first + cases; seed++) {
    const { scores, loss, lossOfRounding, lossOfNarrowRanges } = await lossesOf(seed, runner)
    t.ok(scores > 0, `${seed}: float gives ${scores} such scores`)
    t.ok(
      loss < 0.1 + lossOfRounding,
      `${seed}: ${loss.toFixed(3)} is lost, ${lossOfRounding.toFixed(3)} by rounding`,
    )
    if (lossOfNarrowRanges > 0.1 + lossOfRounding) capped++
  }
  t.ok(2 * capped > cases, `ranges of the pictures alone lose more in ${capped} of ${cases}`)
})
