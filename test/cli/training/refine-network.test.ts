import { join } from 'node:path'
import { existsSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { int8Target } from '../../../src/compress/quantization/targets.js'
import { dequantizedWeight, quantizeWeight } from '../../../src/compress/quantization/weights.js'
import { toEdgeForm } from '../../../src/compress/edge-form.js'
import type { Graph } from '../../../src/onnx/graph.js'
import { type FloatTensor, floatTensor, type Tensor } from '../../../src/onnx/tensor.js'
import { type Refinement, refineNetwork } from '../../../src/cli/training/refine-network.js'
import { roundedNetwork } from '../../../src/cli/training/rounded-network.js'
import type { StepLog } from '../../../src/cli/training/train-network.js'
import { seededRandom } from '../../../src/base/random.js'
import { drawScene } from '../../../src/training/conveyor/draw-scene.js'
import { partNames } from '../../../src/training/conveyor/part-shapes.js'
import { planScene } from '../../../src/training/conveyor/scene.js'
import { floatNetwork } from '../../../src/training/float-network.js'
import { headShape } from '../../../src/cli/training/head-shape.js'
import { buildNetwork } from '../../../src/yolo/build-network.js'
import { graphRunner } from '../../../src/cli/compress/graph-runner.js'

const side = 64
const samples = [1, 2, 3, 4].map((seed) => drawScene(planScene(seed), side, side))
const runner = graphRunner({ intraOpThreads: 1 })

/** A small detector whose weights are large enough for its outputs to differ from place to place. */
function detector(seed: number, classNames: readonly string[] = partNames): Graph {
  const scale = { depth: 0.33, width: 0.0625, channelsMax: 128 }
  const graph = toEdgeForm(
    buildNetwork({ scale, classNames: [...classNames], inputWidth: side, inputHeight: side, seed }),
  )
  const random = seededRandom(seed)
  const initializers = new Map(graph.initializers)
  for (const node of graph.nodes) {
    const weight = initializers.get(node.inputs[1] ?? '')
    if (node.opType !== 'Conv' || weight?.type !== 'float32') continue
    const reach = Math.sqrt(9 / (weight.data.length / weight.dims[0]!))
    const data = weight.data.map(() => (2 * random.next() - 1) * reach)
    initializers.set(node.inputs[1]!, floatTensor(weight.dims, data))
  }
  return { ...graph, initializers }
}

async function refined(
  t: Test,
  changes: Partial<Refinement>,
): Promise<{
  readonly graph: Graph
  readonly steps: readonly StepLog[]
  readonly measured: readonly Graph[]
}> {
  const steps: StepLog[] = []
  const measured: Graph[] = []
  const graph = await refineNetwork(
    {
      network: detector(1),
      useLabels: true,
      samples,
      batch: 2,
      steps: 3,
      rate: 1e-3,
      seed: 1,
      runner,
      checkpoint: join(t.testdir(), 'model.checkpoint'),
      measureSteps: 2,
      ...changes,
    },
    {
      resumed: () => undefined,
      step: (log) => steps.push(log),
      measure: (_, network) => {
        measured.push(network)
        return Promise.resolve()
      },
    },
  )
  return { graph, steps, measured }
}

function weightOf(graph: Graph, name: string): FloatTensor {
  return graph.initializers.get(name) as FloatTensor
}

const kernel = 'model.2.cv1.conv.weight'

t.test(
  'fine-tuning changes weights, keeps shapes and the zeros of sparse weights, and cleans up',
  async (t) => {
    const network = detector(1)
    const sparse = weightOf(network, kernel)
    const halved = floatTensor(
      sparse.dims,
      sparse.data.map((value, at) => (at % 2 === 0 ? 0 : value)),
    )
    const initializers = new Map<string, Tensor>([...network.initializers, [kernel, halved]])
    const { graph, steps, measured } = await refined(t, { network: { ...network, initializers } })
    const after = weightOf(graph, kernel).data
    t.ok(after.every((value, at) => at % 2 === 1 || value === 0))
    t.ok(after.some((value, at) => at % 2 === 1 && value !== halved.data[at]))
    t.same(graph.nodes, network.nodes)
    t.equal(steps.length, 3)
    t.equal(measured.length, 2)
    t.notOk(existsSync(join(t.testdirName, 'model.checkpoint')))
  },
)

t.test('a network that is its own teacher has nothing to learn; from another one it does', async (t) => {
  const own = await refined(t, { useLabels: false, teacher: detector(1) })
  const other = await refined(t, { useLabels: false, teacher: detector(2) })
  const [small, large] = [own.steps[0]!.loss.total, other.steps[0]!.loss.total]
  t.ok(small < 1e-3 * large, `${small} against ${large}`)
})

t.test('a teacher of other classes is refused', async (t) => {
  await t.rejects(refined(t, { teacher: detector(2, ['bolt']) }), {
    code: 'model.labels_invalid',
    message: /1 classes at 64x64, expected 6/,
  })
})

/** Whether both are the same: a step that is computed once more from its largest multiple may differ in its last bit. */
function isSameButForRounding(left: ArrayLike<number>, right: ArrayLike<number>): boolean {
  const values = Array.from(left)
  return (
    values.length === right.length &&
    values.every((value, at) => Math.abs(value - right[at]!) <= 2 ** -22 * Math.abs(value))
  )
}

type Int8Tensor = Extract<Tensor, { readonly type: 'int8' }>

t.test('with rounding: what was trained is what the int8 model computes', async (t) => {
  const network = detector(1)
  const weightBits = 4
  const rounded = await roundedNetwork(network, samples, runner, {
    target: int8Target('qdq'),
    method: 'min-max',
    weightBits,
  })
  const { graph } = await refined(t, { network, simulated: rounded })
  const weight = weightOf(graph, kernel)
  t.ok(
    isSameButForRounding(dequantizedWeight(quantizeWeight(weight, weightBits)), weight.data),
    'weights are whole steps',
  )
  const written = rounded.quantized(graph)
  const { name } = graph.nodes.find((node) => node.inputs[1] === kernel)!
  const integers = written.initializers.get(`${name}/weight_int8`) as Int8Tensor
  const scales = weightOf(written, `${name}/weight_scale`).data
  const perChannel = weight.data.length / scales.length
  const meant = Float32Array.from(integers.data, (value, at) => value * scales[Math.floor(at / perChannel)]!)
  t.ok(isSameButForRounding(meant, weight.data), 'and the exported integers stand for them')

  const shape = headShape(network, 1)
  const initializers = new Map([...rounded.graph.initializers])
  for (const [name, tensor] of graph.initializers) if (initializers.has(name)) initializers.set(name, tensor)
  const simulated = await runner.open(floatNetwork({ ...rounded.graph, initializers }, shape))
  const deployed = await runner.open(written)
  const { pixels } = samples[0]!
  const planes = Float32Array.from(
    { length: pixels.length },
    (_, at) => pixels[3 * (at % (side * side)) + Math.floor(at / (side * side))]! / 255,
  )
  const input = floatNetwork(rounded.graph, shape).inputs[0]!.name
  const expected = await simulated.run(new Map([[input, floatTensor([1, 3, side, side], planes)]]))
  const found = await deployed.run(
    new Map([[network.inputs[0]!.name, { type: 'uint8', dims: [1, side, side, 3], data: pixels }]]),
  )
  for (const { box } of shape.levels) {
    const [a, b] = [expected.get(box)!.data as Float32Array, found.get(box)!.data as Float32Array]
    const spread = Math.max(...a) - Math.min(...a)
    const mean = a.reduce((sum, value, at) => sum + Math.abs(value - b[at]!), 0) / a.length
    t.ok(mean < 1e-5 * spread, `${box}: ${mean} of ${spread}`)
  }
  await simulated.close()
  await deployed.close()
})

t.test('a checkpoint that it cannot go on from is named and left alone', async (t) => {
  const checkpoint = join(t.testdir({ 'old.checkpoint': 'of another time\n' }), 'old.checkpoint')
  await t.test('refused', async (t) => {
    await t.rejects(refined(t, { checkpoint }), {
      code: 'training.checkpoint_unusable',
      hint: /remove .*old\.checkpoint to begin anew/,
    })
  })
  t.equal(readFileSync(checkpoint, 'utf8'), 'of another time\n')
})
