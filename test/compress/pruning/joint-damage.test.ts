import t from 'tap'

import { seededRandom } from '../../../src/base/random.js'
import { graphRunner } from '../../../src/cli/compress/graph-runner.js'
import { samplesOf } from '../../../src/compress/calibration-samples.js'
import { findChannelGroups } from '../../../src/compress/pruning/channel-groups.js'
import { JointDamage } from '../../../src/compress/pruning/joint-damage.js'
import { measureSensitivity, type SensitivityInput } from '../../../src/compress/pruning/sensitivity.js'
import { collectInputMoments } from '../../../src/compress/restoration/input-moments.js'
import { noiseImages, smallDetector } from './small-graphs.js'

const runner = graphRunner({ intraOpThreads: 1 })

async function prepared(seed: number): Promise<SensitivityInput> {
  const graph = smallDetector(seededRandom(seed))
  const groups = findChannelGroups(graph)
  const samples = samplesOf(graph, noiseImages(6))
  const options = { factor: 6, seed: 1, interest: undefined }
  const moments = await collectInputMoments({ graph, runner, samples }, options)
  const random = seededRandom(seed + 1)
  const scores = Float64Array.from({ length: groups.count }, () => random.next())
  return { graph, groups, scores, moments, ridge: 1e-3 }
}

t.test('one layer alone does what its probe says, several together do more than nothing', async (t) => {
  const input = await prepared(91)
  const { graph, groups } = input
  const run = { runner, samples: samplesOf(graph, noiseImages(2)) }
  const sensitivity = await measureSensitivity(input, run, [0.5])
  const full = groups.layers.map((layer) => layer.groups.length)
  const joint = await JointDamage.open(input, run)
  try {
    t.equal(await joint.of(full), 0, 'nothing is gone')
    const halves = [...full]
    let compared = 0
    for (const { name, index } of groups.layers.filter(({ index }) => index % 3 === 0)) {
      const [probe] = sensitivity.get(name) ?? []
      if (probe === undefined) continue
      halves[index] = probe.kept
      const damage = await joint.of(full.with(index, probe.kept))
      t.ok(
        Math.abs(damage - probe.damage) <= 1e-4 * (probe.damage + 1e-6),
        `${name}: ${damage}, ${probe.damage}`,
      )
      compared++
    }
    t.ok(compared >= 4, `${compared} layers compared`)
    const together = await joint.of(halves)
    t.ok(together > 0)
    t.equal(await joint.of(halves), together, 'asked again, it is the same')
  } finally {
    await joint.close()
  }
})
