/** Gradients of YOLOv8n, whole, for 200 weights: with batch norm from random weights, and folded with those of the reference model. */

import { readFileSync } from 'node:fs'
import t from 'tap'
import { importModel } from '../../src/onnx/import-model.js'
import type { Graph } from '../../src/onnx/graph.js'
import { buildNetwork } from '../../src/yolo/build-network.js'
import { networkScales } from '../../src/yolo/network-scale.js'
import { gradientErrors } from '../helpers/gradient-errors.js'
import { shared, skipWithout } from '../helpers/paths.js'

const checked = 200
const classNames = Array.from({ length: 80 }, (_, index) => `class_${index}`)

t.setTimeout(1_800_000)

function network(batchNorm: boolean): Graph {
  const size = { inputWidth: 64, inputHeight: 64, batch: 2 }
  return buildNetwork({ scale: networkScales.n, classNames, ...size, batchNorm, output: 'heads', seed: 3 })
}

/** The folded network with the weights of the reference model, which bear the same names. */
function trained(): Graph {
  const built = network(false)
  const real = importModel(readFileSync(shared('models', 'yolov8n.onnx'))).initializers
  const initializers = new Map([...built.initializers].map(([name, own]) => [name, real.get(name) ?? own]))
  return { ...built, initializers }
}

const kinds = [
  { about: 'with batch norm', graph: () => network(true), skip: false },
  { about: 'with its published weights', graph: trained, skip: skipWithout('models', 'yolov8n.onnx') },
]

for (const { about, graph, skip } of kinds) {
  t.test(`YOLOv8n ${about}: gradients are those of double precision`, { skip }, async (t) => {
    const errors = await gradientErrors(graph(), checked)
    const [median, worst] = [errors[checked / 2]!, errors.at(-1)!].map((error) => error.toExponential(1))
    t.ok(errors[checked / 2]! < 1e-3, `median ${median}, worst ${worst}`)
  })
}
