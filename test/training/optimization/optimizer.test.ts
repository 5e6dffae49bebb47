import t, { type Test } from 'tap'
import { floatTensor } from '../../../src/onnx/tensor.js'
import {
  clipGradient,
  makeOptimizer,
  type OptimizerOptions,
} from '../../../src/training/optimization/optimizer.js'
import { Parameters } from '../../../src/training/optimization/parameters.js'
import { averageDecayAt, rateAt } from '../../../src/training/optimization/schedule.js'
import { op, tinyGraph, value } from '../../helpers/tiny-graph.js'

function parameters(): Parameters {
  const graph = tinyGraph({
    inputs: [value('x', 1)],
    nodes: [op('Neg', ['x'], ['y'])],
    outputs: [value('y', 1)],
    initializers: { kernel: floatTensor([1, 2], [1, -2]), bias: floatTensor([1], [0.5]) },
  })
  return new Parameters(graph, ['kernel', 'bias'])
}

/** The values after three steps with gradients 0.1, 0.2, -0.3 (times step), at a rate of 0.1. */
function afterThree(options: OptimizerOptions): number[] {
  const own = parameters()
  const optimizer = makeOptimizer(own, options)
  for (const step of [1, 2, 3])
    optimizer.update(Float32Array.of(0.1 * step, 0.2 * step, -0.3 * step), 0.1, step)
  return [...own.values]
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

t.test('a gradient is clipped to its norm and not below', (t) => {
  const gradient = Float32Array.of(3, 4)
  t.equal(clipGradient(gradient, 10), 5)
  t.same([...gradient], [3, 4])
  t.equal(clipGradient(gradient, 2.5), 5)
  t.same([...gradient], [1.5, 2])
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
