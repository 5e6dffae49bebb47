import { readFileSync, writeFileSync } from 'node:fs'
import { importModel } from '../../src/onnx/import-model.js'
import { exportModel } from '../../src/onnx/export-model.js'
import { applyPatch } from '../../src/onnx/patch.js'
import { type Graph, makeNode } from '../../src/onnx/graph.js'
import { floatTensor } from '../../src/onnx/tensor.js'
import { graphRunner, imagesIn } from '../helpers/graph-runner.js'
import { observe } from '../../src/compress/quantization/calibration/observe.js'
import { planQuantization, activationInputs } from '../../src/compress/quantization/quantization-plan.js'
import { chooseScales } from '../../src/compress/quantization/choose-scales.js'
import { writeInteger } from '../../src/compress/quantization/write-integer.js'
import { roundToNearest, roundConvolutions, type ConvolutionTable } from '../../src/compress/quantization/integer-convolution.js'
import { correctBiases } from '../../src/compress/quantization/correct-bias.js'
import { observeMeans } from '../../src/compress/quantization/calibration/observe-means.js'
import { int8Target } from '../../src/compress/quantization/targets.js'
export function edge(g: Graph): Graph {
  const outs = [0, 1, 2].flatMap((l) =>
    (['cv2', 'cv3'] as const).map((b) => {
      const node = g.nodes.find((n) => n.inputs[1] === `model.22.${b}.${l}.2.weight`)!
      return { node, name: `p${l + 3}_${b === 'cv2' ? 'box' : 'cls'}`, c: b === 'cv2' ? 64 : 80, s: 80 >> l }
    }),
  )
  const all = new Map(outs.map((o) => [o.node, o]))
  const first = g.nodes.find((n) => n.opType === 'Conv')!
  // keep only nodes needed
  const need = new Set(outs.map((o) => o.node.outputs[0]!))
  const keep = new Set<string>()
  for (const n of [...g.nodes].reverse())
    if (n.outputs.some((o) => need.has(o))) {
      keep.add(n.name)
      n.inputs.forEach((i) => need.add(i))
    }
  return applyPatch(g, {
    remove: g.nodes.filter((n) => !keep.has(n.name) || all.has(n) || n === first),
    add: [
      makeNode('Cast', 'c', ['images'], ['c'], { attributes: { to: { kind: 'int', value: 1 } } }),
      makeNode('Mul', 'm', ['c', 'k255'], ['m']),
      makeNode('Transpose', 't', ['m'], ['t'], {
        attributes: { perm: { kind: 'ints', value: [0, 3, 1, 2] } },
      }),
      { ...first, inputs: ['t', ...first.inputs.slice(1)] },
      ...outs.map((o) => ({ ...o.node, outputs: [o.name] })),
    ],
    initializers: [['k255', floatTensor([], [1 / 255])]],
    inputs: [{ name: 'images', type: 'uint8', shape: [1, 640, 640, 3] }],
    outputs: outs.map((o) => ({ name: o.name, type: 'float32', shape: [1, o.c, o.s, o.s] })),
    opsets: new Map([['', 17]]),
  })
}
const g0 = importModel(new Uint8Array(readFileSync('../shared/models/yolov8n.onnx')))
const split = g0.nodes.filter((n) => n.opType === 'Split')
const g1 = applyPatch(g0, {
  remove: split,
  add: split.map((n) => ({
    ...n,
    inputs: [n.inputs[0]!, `${n.name}/s`],
    attributes: new Map([...n.attributes].filter(([k]) => k !== 'split')),
  })),
  initializers: split.map((n) => {
    const v = (n.attributes.get('split') as unknown as { value: number[] }).value
    return [`${n.name}/s`, { type: 'int64', dims: [2], data: BigInt64Array.from(v, BigInt) }] as const
  }),
})
const graph = edge(g1)
writeFileSync('/tmp/quant/edge.onnx', exportModel(graph))
const target = int8Target('x64-vnni')
const plan = planQuantization(graph, target.rules)
console.log(plan.barriers, plan.groups.length, plan.observed.length)
const t0 = performance.now()
const convs = graph.nodes.filter((n) => plan.quantized.has(n.name) && n.opType === 'Conv')
const obs = await observe(
  graph,
  { values: plan.observed, means: [...new Set(convs.flatMap((n) => activationInputs(graph, n)))] },
  graphRunner({ intraOpThreads: 2 }),
  imagesIn('../shared/coco/calib/images', Number(process.argv[2] ?? 128)),
)
console.log(
  'observe',
  ((performance.now() - t0) / 1000).toFixed(1),
  's',
  (process.memoryUsage().rss / 2 ** 20).toFixed(0),
  'MB',
)

const limits = new Map([3, 4, 5].map((l) => [`p${l}_cls`, { min: -8, max: Infinity }]))
const runner = graphRunner({ intraOpThreads: 2 })
for (const method of (process.argv[3] ?? 'silu').split(',') as ('silu' | 'mse')[]) for (const cf of (process.argv[4] ?? '0.5').split(',')) for (const passes of (process.argv[5] ?? '-1,0,3').split(',').map(Number)) {
  ;(globalThis as any).CF = Number(cf)
  const scales = chooseScales(plan, obs.histograms, { method, format: target.activations, limits })
  let table = roundConvolutions(plan, roundToNearest(8))
  const write = (convolutions: ConvolutionTable) => writeInteger(plan, { scales, convolutions })
  const t1 = performance.now()
  if (passes >= 0) table = await correctBiases(plan, table, { floatMeans: obs.means, write, passes, observe: (m, v) => observeMeans(m, v, runner, imagesIn('../shared/coco/calib/images', Number(process.argv[2] ?? 128))) })
  writeFileSync(`/tmp/quant/v_${method}_${cf}_${passes}.onnx`, exportModel(write(table).graph))
  console.log(method, cf, passes, ((performance.now() - t1) / 1000).toFixed(1))
}
