import t, { type Test } from 'tap'
import { floatTensor } from '../../../src/onnx/tensor.js'
import {
  makeOptimizer,
  type OptimizerOptions,
  stateArrays,
} from '../../../src/training/optimization/optimizer.js'
import { ParameterLayout } from '../../../src/training/optimization/parameters.js'
import { averageDecayAt, rateAt } from '../../../src/training/optimization/schedule.js'
import { VectorMemory } from '../../../src/training/optimization/vector-memory.js'
import { op, tinyGraph, value } from '../../helpers/tiny-graph.js'

const initializers = { kernel: floatTensor([1, 2], [1, -2]), bias: floatTensor([1], [0.5]) }
const graph = tinyGraph({
  inputs: [value('x', 1)],
  nodes: [op('Neg', ['x'], ['y'])],
  outputs: [value('y', 1)],
  initializers,
})

/** The values after three steps with gradients 0.1, 0.2, -0.3 (times step), at a rate of 0.1. */
function afterThree(options: OptimizerOptions, scale = 1): number[] {
  const layout = new ParameterLayout(graph, ['kernel', 'bias'])
  const memory = new VectorMemory(layout.length, 2 + stateArrays(options))
  const [parameters, gradient] = [memory.take(), memory.take()]
  layout.fill(parameters, graph)
  const optimizer = makeOptimizer({ layout, memory, parameters }, options)
  for (const step of [1, 2, 3]) {
    const views = layout.views(gradient)
    views.get('kernel')!.set([(0.1 * step) / scale, (0.2 * step) / scale])
    views.get('bias')!.set([(-0.3 * step) / scale])
    optimizer.update(gradient, { rate: 0.1, step, scale })
  }
  t.same([...parameters.subarray(2, 4), ...parameters.subarray(5)], [0, 0, 0, 0, 0], 'nothing between slots')
  return [...layout.views(parameters).values()].flatMap((values) => [...values])
}

function near(t: Test, found: readonly number[], expected: readonly number[]): void {
  found.forEach((value, at) =>
    t.ok(Math.abs(value - expected[at]!) < 1e-6, `${value}, expected ${expected[at]}`),
  )
}

t.test('the steps are those of PyTorch', (t) => {
  // torch.optim.SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01 for the kernel) and torch.optim.AdamW(lr=0.1, weight_decay=0.01 for the kernel).
  near(t, afterThree({ kind: 'sgd', momentum: 0.9, weightDecay: 0.01 }), [0.84655, -2.2747595, 0.93677])
  near(t, afterThree({ kind: 'adamw', weightDecay: 0.01 }), [0.7049811, -2.2860279, 0.7923183])
  t.end()
})

t.test('a scaled gradient moves the parameters as if it were so large', (t) => {
  for (const kind of ['sgd', 'adamw'] as const) near(t, afterThree({ kind }, 4), afterThree({ kind }))
  t.end()
})

t.test('the rate rises, then falls to its last share', (t) => {
  const options = { steps: 1000, rate: 0.4, finalShare: 0.1, warmUpSteps: 50 }
  t.equal(rateAt(25, options), 0.2)
  t.equal(rateAt(50, options), 0.4)
  t.ok(Math.abs(rateAt(525, options) - 0.4 * 0.55) < 1e-9)
  t.ok(Math.abs(rateAt(1000, options) - 0.04) < 1e-9)
  t.end()
})

t.test('the average follows quickly at first', (t) => {
  t.ok(averageDecayAt(1, 0.9999, 2000) < 0.001)
  t.ok(averageDecayAt(100_000, 0.9999, 2000) > 0.9998)
  t.end()
})
