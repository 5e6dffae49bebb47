import t from 'tap'
import { buildNetwork } from '../../../src/yolo/build-network.js'
import { gradientErrors } from '../../helpers/gradient-errors.js'

const checked = 20

t.setTimeout(600_000)

for (const batchNorm of [true, false]) {
  const kind = batchNorm ? 'with batch norm' : 'folded'
  t.test(`the gradients of a whole network, ${kind}, are those of double precision`, async (t) => {
    const graph = buildNetwork({
      scale: { depth: 0.33, width: 0.03125, channelsMax: 256 },
      classNames: ['a', 'b'],
      inputWidth: 32,
      inputHeight: 32,
      batch: 2,
      batchNorm,
      output: 'heads',
      seed: 3,
    })
    const errors = await gradientErrors(graph, checked)
    const median = errors[checked / 2]!
    t.ok(median < 1e-3, `median ${median.toExponential(1)}, worst ${errors.at(-1)!.toExponential(1)}`)
    t.ok(errors[Math.floor(0.95 * checked)]! < 1e-2)
  })
}
