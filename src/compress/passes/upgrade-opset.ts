/**
 * Brings a graph of operator set 11..16 to 17.
 * Before:  Split(x) with attribute split;  Squeeze, Unsqueeze, ReduceSum with attribute axes
 * After:   Split(x, sizes);  Squeeze(x, axes), Unsqueeze(x, axes), ReduceSum(x, axes), as operator set 13 has them
 * Conditions: every operator is in the table below, or means the same in both sets. Exact.
 */

import { AgentError } from '../../base/errors.js'
import { intOf, intsOf, withoutAttributes } from '../../onnx/attributes.js'
import type { Graph, Node } from '../../onnx/graph.js'
import { opsetOf } from '../../onnx/opset.js'
import { shapesOf } from '../../onnx/shapes/infer-shapes.js'
import { int64Tensor } from '../../onnx/tensor.js'
import type { Pass } from '../run-passes.js'

const target = 17

/** Attributes that became an input in operator set 13, by operator. */
const movedAttributes: Readonly<Record<string, string>> = {
  Split: 'split',
  Squeeze: 'axes',
  Unsqueeze: 'axes',
  ReduceSum: 'axes',
}

/** Operators that mean the same in the sets 11 to 17, as far as their old form can say it. */
const unchanged: ReadonlySet<string> = new Set(
  `Abs Add And AveragePool BatchNormalization Cast Ceil Clip Concat Constant ConstantOfShape Conv ConvTranspose
  DequantizeLinear Div Dropout Equal Exp Expand Flatten Floor Gather GatherElements Gemm GlobalAveragePool Greater
  GreaterOrEqual HardSigmoid Identity InstanceNormalization LeakyRelu Less LessOrEqual Log MatMul Max MaxPool Mean Min Mod Mul
  Neg NonZero Not Or Pad Pow QuantizeLinear Range Reciprocal ReduceMax ReduceMean ReduceMin Relu Reshape Resize Round
  ScatterND Shape Sigmoid Size Slice Softplus Sqrt Sub Sum Tanh Tile TopK Transpose Where`.split(/\s+/),
)

export const upgradeOpset: Pass = {
  name: 'upgrade-opset',
  patch: (graph) => {
    const version = opsetOf(graph)
    if (version >= target) return undefined
    const moved = graph.nodes.filter((node) => attributeOf(node) !== undefined)
    for (const node of graph.nodes) requireKnown(graph, node, version)
    const isOld = version < 13
    return {
      remove: isOld ? moved : [],
      add: isOld ? moved.map(withInput) : [],
      initializers: isOld ? moved.map(inputOf) : [],
      opsets: new Map([...graph.opsets, ['', target]]),
    }
  },
}

/** The name of the attribute that becomes an input, where this node has it. */
function attributeOf(node: Node): string | undefined {
  const name = node.domain === '' ? movedAttributes[node.opType] : undefined
  return name !== undefined && node.attributes.has(name) ? name : undefined
}

function withInput(node: Node): Node {
  const inputs = [node.inputs[0]!, inputName(node)]
  return { ...node, inputs, attributes: withoutAttributes(node, attributeOf(node)!) }
}

function inputOf(node: Node): readonly [string, ReturnType<typeof int64Tensor>] {
  const values = intsOf(node, attributeOf(node)!)!
  return [inputName(node), int64Tensor([values.length], values)]
}

function inputName(node: Node): string {
  return `${node.name}/${attributeOf(node)}`
}

function requireKnown(graph: Graph, node: Node, version: number): void {
  if (node.domain !== '' || unchanged.has(node.opType) || node.opType in movedAttributes) return
  if (node.opType === 'Softmax' && (version >= 13 || isLastAxis(graph, node))) return
  throw new AgentError(
    'model.op_unsupported',
    `cannot bring node ${node.name} (${node.opType}) from operator set ${version} to ${target}`,
    { hint: 'export the model with opset 17 or newer' },
  )
}

/** Before set 13 Softmax took all axes from the given one on together: the same only for the last axis. */
function isLastAxis(graph: Graph, node: Node): boolean {
  const rank = shapesOf(graph).typeOf(node.inputs[0]!)?.shape?.length
  const axis = intOf(node, 'axis', 1)
  return rank !== undefined && (axis < 0 ? axis + rank : axis) === rank - 1
}
