/**
 * Atan becomes known to shapes, pruning and training; LeakyRelu, which ONNX Runtime computes on integers, to quantization; the
 * parameters of GroupNormalization are counted.
 */

import { type Addition, behind } from './addition.js'

export const operator: Addition = {
  heading: 'An ONNX operator',
  tests: [
    'test/onnx/shapes/infer-shapes.test.ts',
    'test/compress/pruning/channel-groups.test.ts',
    'test/compress/quantization/leaky-relu.test.ts',
    'test/training/gradient/rules.test.ts',
  ],
  places: [
    {
      path: 'src/onnx/shapes/rules.ts',
      notice: 'you begin here',
      change: [behind("const sameAsFirst = [\n  'Abs',\n", "  'Atan',\n")],
    },
    {
      path: 'test/onnx/shapes/infer-shapes.test.ts',
      notice: 'nobody',
      change: [
        behind(
          "    ['GlobalAveragePool', op('GlobalAveragePool', ['x'], ['y']), {}],\n",
          "    ['Atan', op('Atan', ['x'], ['y']), {}],\n",
        ),
      ],
    },
    {
      path: 'src/onnx/cost.ts',
      notice: 'nobody',
      change: [behind('  BatchNormalization: [1, 2, 3, 4],\n', '  GroupNormalization: [1, 2],\n')],
    },
    {
      path: 'src/compress/pruning/coupling-rules.ts',
      notice: '`test/compress/pruning/channel-groups.test.ts`',
      change: [behind("  ['Abs', coupleUnary],\n", "  ['Atan', coupleUnary],\n")],
    },
    {
      path: 'test/compress/pruning/channel-groups.test.ts',
      notice: 'nobody',
      change: [
        {
          find: "t.test('channels that reach an output stay, with the reason', (t) => {",
          put: `t.test('channels pass an arc tangent', (t) => {
  const build = new GraphBuilder(seededRandom(1))
  const angle = build.add('Atan', [build.block('images', 3, 8)])[0]!
  t.same(findChannelGroups(build.finish([build.conv(angle, 8, 4)], 3, 8)).barriers, [])
  t.end()
})

t.test('channels that reach an output stay, with the reason', (t) => {`,
        },
      ],
    },
    {
      path: 'src/compress/quantization/rules.ts',
      notice: 'you begin here',
      change: [
        behind(
          "export const integerRules: QuantizationRules = new Map([\n  ['Conv', conv],\n",
          "  ['LeakyRelu', { output: 'own', refusal: () => undefined }],\n",
        ),
      ],
    },
    {
      path: 'src/compress/quantization/write-integer.ts',
      notice: '`test/compress/quantization/leaky-relu.test.ts`',
      change: [
        behind(
          "  ['Conv', lowerConvolution],\n",
          `  [
    'LeakyRelu',
    (writer, node) => {
      writer.elementwise('QLinearLeakyRelu', node)
    },
  ],
`,
        ),
      ],
    },
    {
      path: 'test/compress/quantization/leaky-relu.test.ts',
      notice: 'nobody',
      change: `import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { graphRunner } from '../../../src/cli/compress/graph-runner.js'
import { toEdgeForm } from '../../../src/compress/edge-form.js'
import { calibrate, quantize } from '../../../src/compress/quantization/quantize.js'
import { int8Target } from '../../../src/compress/quantization/targets.js'
import { type Graph, indexOf, makeNode } from '../../../src/onnx/graph.js'
import { importModel } from '../../../src/onnx/import-model.js'
import { describeModel } from '../../../src/yolo/model-description.js'
import { projectRoot } from '../../helpers/paths.js'

t.test('a LeakyRelu is computed on integers', async (t) => {
  const network = leaky(toEdgeForm(importModel(readFileSync(join(projectRoot, 'models', 'parts', 'parts.onnx')))))
  const { inputWidth, inputHeight } = describeModel(network)
  const pixels = Uint8Array.from({ length: 3 * inputWidth * inputHeight }, (_, at) => (at * 7919) % 256)
  const images = { count: 1, read: () => Promise.resolve(pixels) }
  const options = { target: int8Target('x64'), method: 'mse', biasCorrection: false } as const
  const model = quantize(network, await calibrate(network, options, graphRunner(), images), options)
  t.ok(model.graph.nodes.some(({ opType }) => opType === 'QLinearLeakyRelu'))
})

/** \`graph\` with the SiLU of its first convolution as a LeakyRelu. */
function leaky(graph: Graph): Graph {
  const first = graph.nodes.find(({ opType }) => opType === 'Conv')!
  const [gate] = indexOf(graph).usersOf(first.outputs[0]!)
  const product = graph.nodes.find(({ opType, inputs }) => opType === 'Mul' && inputs.includes(first.outputs[0]!))!
  const relu = makeNode('LeakyRelu', 'leaky', [first.outputs[0]!], product.outputs)
  const kept = graph.nodes.filter((node) => node.opType !== 'Sigmoid' || node !== gate)
  return { ...graph, nodes: kept.map((node) => (node === product ? relu : node)) }
}
`,
    },
    {
      path: 'src/training/gradient/rules.ts',
      notice: 'you begin here',
      change: [behind("  ['Relu', elementwise.rectify],\n", "  ['Atan', elementwise.arcTangent],\n")],
    },
    {
      path: 'src/training/gradient/rules/elementwise.ts',
      notice: 'the compiler',
      seenIn: 'src/training/gradient/rules.ts',
      change: [
        {
          find: '/** dy / (2 y). */\n',
          put: `/** dy / (1 + x x). */
export const arcTangent: GradientRule = (context) => {
  const { writer, node } = context
  const x = known(context, node.inputs[0]!)
  const slope = writer.op('Add', [writer.op('Mul', [x.name, x.name]), writer.float(1)])
  return [combine(context, 'Div', context.looseGradient()!, { ...x, name: slope })]
}

/** dy / (2 y). */
`,
        },
      ],
    },
    {
      path: 'test/training/gradient/rules.test.ts',
      notice: '`test/training/gradient/rules.test.ts`',
      change: [
        behind(
          "  { about: 'a negation', nodes: [op('Neg', ['x'], ['y'])], inputs: x, outputs: y },\n",
          "  { about: 'an arc tangent', nodes: [op('Atan', ['x'], ['y'])], inputs: x, outputs: y },\n",
        ),
      ],
    },
    {
      path: 'test/helpers/double-graph.ts',
      notice: '`test/training/gradient/rules.test.ts`',
      change: [behind('  Neg: unary((value) => -value),\n', '  Atan: unary(Math.atan),\n')],
    },
  ],
}
