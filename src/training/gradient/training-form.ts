/**
 * Rewrites a forward graph so that each of its operators has a gradient.
 * Invariant: without batch norm the outputs stay the same; a batch norm now uses the statistics of the batch, which become values
 * with names, so that a trainer can follow them.
 */

import { floatOf, intAttribute, intOf, intsOf, withoutAttributes } from '../../onnx/attributes.js'
import { type Graph, makeNode, type Node, type ValueName } from '../../onnx/graph.js'
import { opsetOf } from '../../onnx/opset.js'
import { applyPatch } from '../../onnx/patch.js'
import { shapesOf } from '../../onnx/shapes/infer-shapes.js'
import { floatTensor, int64Tensor, type Tensor } from '../../onnx/tensor.js'
import { AgentError } from '../../base/errors.js'

/** The first operator set in which a scatter can add: the backward pass of overlapping poolings. */
const oldestTrainable = 17

/** A batch norm of a graph in training form: values and initializers by name. */
export interface BatchStatistics {
  /** Values `[1, C, 1, 1]`: mean and (biased) variance of the batch. */
  readonly mean: ValueName
  readonly variance: ValueName
  /** Elements that each is taken over. */
  readonly count: number
  /** Initializers of the original graph, `[C]`: the running statistics. */
  readonly runningMean: ValueName
  readonly runningVariance: ValueName
}

export interface TrainingForm {
  readonly graph: Graph
  readonly statistics: readonly BatchStatistics[]
}

/** Makes the training form of a graph with fixed shapes. Throws `model.op_unsupported`. */
export function trainingForm(graph: Graph): TrainingForm {
  const remove: Node[] = []
  const add: Node[] = []
  const initializers: [ValueName, Tensor][] = []
  const statistics: BatchStatistics[] = []
  const opset = opsetOf(graph)
  for (const node of graph.nodes) {
    const replaced = rewrite(node)
    if (replaced === undefined) continue
    remove.push(node)
    add.push(...replaced)
  }
  const opsets = opset < oldestTrainable ? new Map([...graph.opsets, ['', oldestTrainable]]) : graph.opsets
  return { graph: applyPatch(graph, { remove, add, initializers, opsets }), statistics }

  function rewrite(node: Node): readonly Node[] | undefined {
    if (node.opType === 'MaxPool' && node.outputs.length === 1) {
      return [{ ...node, outputs: [node.outputs[0]!, `${node.outputs[0]!}:places`] }]
    }
    if (node.opType === 'BatchNormalization') return normalize(node)
    if (opset < 13 && axisLists.has(node.opType)) return [axesAsInput(node)]
    if (opset < 13 && node.opType === 'Softmax') return [checkedSoftmax(node)]
    return undefined
  }

  /** Operator sets before 13 have these lists as attributes. */
  function axesAsInput(node: Node): Node {
    const attribute = axisLists.get(node.opType)!
    const values = intsOf(node, attribute)
    if (values === undefined) return node
    const name = `${node.name}:${attribute}`
    initializers.push([name, int64Tensor([values.length], values)])
    return { ...node, inputs: [node.inputs[0]!, name], attributes: withoutAttributes(node, attribute) }
  }

  /** Operator sets before 13 flatten all axes from the given one on: the same only for the last. */
  function checkedSoftmax(node: Node): Node {
    const rank = shapesOf(graph).typeOf(node.inputs[0]!)?.shape?.length
    const axis = intOf(node, 'axis', 1)
    if (rank === undefined || (axis !== -1 && axis !== rank - 1)) {
      throw new AgentError(
        'model.op_unsupported',
        `Softmax ${node.name} of operator set ${opset} works on more than its last axis`,
      )
    }
    return { ...node, attributes: new Map([['axis', intAttribute(-1)]]) }
  }

  /** y = (x - mean) * gamma / sqrt(variance + epsilon) + beta, over pictures and places. */
  function normalize(node: Node): readonly Node[] {
    const [x, gamma, beta, runningMean, runningVariance] = node.inputs as readonly [
      string,
      string,
      string,
      string,
      string,
    ]
    const y = node.outputs[0]!
    const shape = shapesOf(graph).staticShapeOf(x)
    if (shape?.length !== 4) {
      throw new AgentError('model.op_unsupported', `batch norm ${node.name} has no fixed shape [N,C,H,W]`)
    }
    const count = shape[0]! * shape[2]! * shape[3]!
    const at = (part: string): ValueName => `${y}:${part}`
    const constant = (part: string, tensor: Tensor): ValueName => {
      initializers.push([at(part), tensor])
      return at(part)
    }
    const op = (opType: string, inputs: readonly ValueName[], output: ValueName): Node =>
      makeNode(opType, output, inputs, [output])
    const axes = constant('axes', int64Tensor([3], [0, 2, 3]))
    const share = constant('share', floatTensor([], [1 / count]))
    const epsilon = constant('epsilon', floatTensor([], [floatOf(node, 'epsilon', 1e-5)]))
    const column = constant('column', int64Tensor([4], [1, shape[1]!, 1, 1]))
    statistics.push({ mean: at('mean'), variance: at('variance'), count, runningMean, runningVariance })
    return [
      op('ReduceSum', [x, axes], at('sum')),
      op('Mul', [at('sum'), share], at('mean')),
      op('Sub', [x, at('mean')], at('centred')),
      op('Mul', [at('centred'), at('centred')], at('squares')),
      op('ReduceSum', [at('squares'), axes], at('square_sum')),
      op('Mul', [at('square_sum'), share], at('variance')),
      op('Add', [at('variance'), epsilon], at('shifted')),
      op('Sqrt', [at('shifted')], at('deviation')),
      op('Reshape', [gamma, column], at('gamma')),
      op('Div', [at('gamma'), at('deviation')], at('factor')),
      op('Mul', [at('centred'), at('factor')], at('scaled')),
      op('Reshape', [beta, column], at('beta')),
      op('Add', [at('scaled'), at('beta')], y),
    ]
  }
}

const axisLists: ReadonlyMap<string, string> = new Map([
  ['Split', 'split'],
  ['ReduceSum', 'axes'],
  ['Squeeze', 'axes'],
  ['Unsqueeze', 'axes'],
])
