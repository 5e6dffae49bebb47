import t from 'tap'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { toEdgeForm } from '../../../src/compress/edge-form.js'
import type { Feeds } from '../../../src/compress/ports.js'
import { damageOf, outputComparisonOf } from '../../../src/compress/pruning/output-damage.js'
import { importModel } from '../../../src/onnx/import-model.js'
import { floatTensor } from '../../../src/onnx/tensor.js'
import { projectRoot } from '../../helpers/paths.js'
import { tinyDetector } from '../../helpers/tiny-detector.js'
import { op, tinyGraph, value } from '../../helpers/tiny-graph.js'

const decoded = importModel(tinyDetector().bytes)
const anchors = 21

interface Seen {
  readonly probability: number
  readonly x?: number
}

/** Decoded outputs in which one box of 8 x 8 is seen. */
function picture({ probability, x = 16 }: Seen): Feeds {
  const values = new Float32Array(5 * anchors)
  ;[x, 16, 8, 8, probability].forEach((value, row) => (values[row * anchors] = value))
  return new Map([['output0', floatTensor([1, 5, anchors], values)]])
}

const compare = outputComparisonOf(decoded)

t.test('equal outputs: no damage', (t) => {
  t.equal(damageOf([compare(picture({ probability: 0.9 }))(picture({ probability: 0.9 }))]), 0)
  t.equal(damageOf([]), 0, 'nor without pictures')
  t.end()
})

t.test('probabilities count by the distance of their roots', (t) => {
  const difference = compare(picture({ probability: 0.64 }))(picture({ probability: 0.25 }))
  t.ok(Math.abs(damageOf([difference]) - (0.8 - 0.5) ** 2 / 0.64) < 1e-6)
  t.end()
})

t.test('boxes count by what they no longer share', (t) => {
  // Shifted by half its width: a third of the union is shared.
  const difference = compare(picture({ probability: 0.9 }))(picture({ probability: 0.9, x: 20 }))
  t.ok(Math.abs(damageOf([difference]) - 0.5 * (2 / 3)) < 1e-6)
  const apart = compare(picture({ probability: 0.9 }))(picture({ probability: 0.9, x: 200 }))
  t.ok(Math.abs(damageOf([apart]) - 0.5) < 1e-6, 'never more than all of it')
  t.end()
})

t.test('a picture in which next to nothing is seen has next to no say', (t) => {
  const clear = compare(picture({ probability: 0.9 }))(picture({ probability: 0.9 }))
  const faint = compare(picture({ probability: 0.02 }))(picture({ probability: 0.02, x: 200 }))
  t.ok(damageOf([clear, faint]) < 0.001)
  t.ok(damageOf([faint]) > 0.4)
  t.end()
})

t.test('heads: boxes of small objects count like those of large ones', (t) => {
  const edge = toEdgeForm(importModel(readFileSync(join(projectRoot, 'models', 'parts', 'parts.onnx'))))
  const sides = [20, 10, 5]
  const classes = edge.outputs
    .filter(({ name }) => name.endsWith('_cls'))
    .map(({ shape }) => Number(shape[1]))
  const heads = (shifted: number | undefined): Feeds =>
    new Map(
      sides.flatMap((side, level) => {
        const cells = side * side
        const box = new Float32Array(64 * cells)
        // Each side is 2 cells away, or 4 on the left of the shifted level.
        for (let edge = 0; edge < 4; edge++)
          box[(16 * edge + (level === shifted && edge === 0 ? 4 : 2)) * cells] = 50
        const cls = new Float32Array(classes[level]! * cells).fill(-20)
        // One sees little, three sees much.
        cls[0] = level - 1
        return [
          [`p${level + 3}_box`, floatTensor([1, 64, side, side], box)],
          [`p${level + 3}_cls`, floatTensor([1, classes[level]!, side, side], cls)],
        ] as const
      }),
    )
  const damages = sides.map((_, level) =>
    damageOf([outputComparisonOf(edge)(heads(undefined))(heads(level))]),
  )
  for (const damage of damages) t.ok(Math.abs(damage - (0.5 / 3) * (1 - 16 / 24)) < 1e-6, String(damage))
  t.end()
})

t.test('other graphs are compared value by value', (t) => {
  const graph = tinyGraph({
    inputs: [value('x', 2)],
    outputs: [value('y', 2)],
    nodes: [op('Relu', ['x'], ['y'])],
  })
  const values = (first: number): Feeds => new Map([['y', floatTensor([2], [first, 2])]])
  t.equal(damageOf([outputComparisonOf(graph)(values(1))(values(2))]), 1 / 5)
  t.end()
})
