import { readdirSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { seededRandom } from '../../src/base/random.js'
import { exportModel } from '../../src/onnx/export-model.js'
import type { Graph } from '../../src/onnx/graph.js'
import { importModel } from '../../src/onnx/import-model.js'
import { type Tensor, floatTensor } from '../../src/onnx/tensor.js'
import { exportNames, readExport } from '../helpers/exports.js'
import { shared, skipWithout } from '../helpers/paths.js'
import { maxDifference, runOnnx } from '../helpers/run-onnx.js'
import { op, tinyGraph, value } from '../helpers/tiny-graph.js'

/** Values 0..1 for every input; free dimensions become 64 (1 for the batch). */
function feedsOf({ inputs }: Graph): Readonly<Record<string, Tensor>> {
  const random = seededRandom(5)
  return Object.fromEntries(
    inputs.map(({ name, shape }) => {
      const dims = shape.map((dim, axis) => (typeof dim === 'number' ? dim : axis === 0 ? 1 : 64))
      const count = dims.reduce((product, dim) => product * dim, 1)
      return [
        name,
        floatTensor(
          dims,
          Float32Array.from({ length: count }, () => random.next()),
        ),
      ]
    }),
  )
}

async function sameOutputs(t: Test, bytes: Uint8Array): Promise<void> {
  const graph = importModel(bytes)
  const written = exportModel(graph)
  const feeds = feedsOf(graph)
  const before = await runOnnx(bytes, feeds)
  const after = await runOnnx(written, feeds)
  t.ok(before.size > 0)
  for (const name of before.keys()) t.equal(maxDifference(before.get(name), after.get(name)), 0, name)
  const again = exportModel(importModel(written))
  t.ok(Buffer.from(again).equals(written), 'written once more, the bytes are the same')
}

for (const name of exportNames) {
  t.test(`export ${name}: read and written, it computes the same`, (t) => sameOutputs(t, readExport(name)))
}

const folders = [['models'], ['models', 'peers']] as const
for (const folder of folders) {
  const skip = skipWithout(...folder)
  const files = skip === false ? readdirSync(shared(...folder)).filter((name) => name.endsWith('.onnx')) : []
  t.test(`every model of ${folder.join('/')}, quantised ones too`, { skip }, async (t) => {
    for (const file of files) {
      await t.test(file, (t) => sameOutputs(t, new Uint8Array(readFileSync(shared(...folder, file)))))
    }
  })
}

t.test('generated graphs: chains and forks of element-wise operators', async (t) => {
  const random = seededRandom(11)
  for (let round = 0; round < 20; round++) {
    const names = ['x']
    const nodes = Array.from({ length: 1 + random.integer(12) }, (_, index) => {
      const pick = (): string => names[random.integer(names.length)]!
      const output = `v${index}`
      const node =
        random.integer(2) === 0
          ? op(['Sigmoid', 'Relu', 'Neg', 'Tanh'][random.integer(4)]!, [pick()], [output])
          : op(
              ['Add', 'Mul', 'Sub'][random.integer(3)]!,
              [pick(), random.integer(2) === 0 ? 'w' : pick()],
              [output],
            )
      names.push(output)
      return node
    })
    const graph = tinyGraph({
      inputs: [value('x', 2, 3)],
      nodes: [...nodes, op('Add', [names.at(-1)!, 'w'], ['y'])],
      outputs: [value('y', 2, 3)],
      initializers: { w: floatTensor([1, 3], [0.5, -1, 2]) },
    })
    await sameOutputs(t, exportModel(graph))
  }
})
