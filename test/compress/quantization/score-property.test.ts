/** Whatever a detector is calibrated with, a score that float gives is not lost on integers. */

import t from 'tap'
import { graphRunner } from '../../../src/cli/compress/graph-runner.js'
import { lossesOf, type Losses } from '../../helpers/score-losses.js'

t.setTimeout(180_000)

const runner = graphRunner({ intraOpThreads: 1 })
const cases = 4

t.test('a score above 0.5 in float loses at most 0.1 in int8, beside what rounding takes', async (t) => {
  const found: Losses[] = []
  for (let seed = 1; seed <= cases; seed++) found.push(await lossesOf(seed, runner))
  for (const { seed, scores, loss, lossOfRounding } of found) {
    t.ok(scores > 0, `${seed}: float gives ${scores} such scores`)
    t.ok(
      loss < 0.1 + lossOfRounding,
      `${seed}: ${loss.toFixed(3)} is lost, ${lossOfRounding.toFixed(3)} by rounding`,
    )
  }
  const capped = found.filter(
    ({ lossOfNarrowRanges, lossOfRounding }) => lossOfNarrowRanges > 0.1 + lossOfRounding,
  )
  t.ok(2 * capped.length > cases, `ranges of the pictures alone lose more in ${capped.length} of ${cases}`)
})
