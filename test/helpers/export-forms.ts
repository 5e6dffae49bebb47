/**
 * Other forms of a detector's export, as other tools leave them.
 * Invariant: each computes the boxes and scores of the export it was made from; only what goes in and comes out looks different.
 */

import type { Graph, Node, ValueInfo } from '../../src/onnx/graph.js'
import { applyPatch, type Patch } from '../../src/onnx/patch.js'
import { floatTensor, int64Tensor, type Tensor } from '../../src/onnx/tensor.js'
import { findHead } from '../../src/yolo/find-head.js'
import { op } from './tiny-graph.js'

type Constants = readonly (readonly [string, Tensor])[]

/** Forms of `graph` (operator set 13 or newer, fixed size, one output `[1, 4 + classes, anchors]`) by name. */
export function exportForms(graph: Graph): ReadonlyMap<string, Graph> {
  const [, rows, anchors] = graph.outputs[0]!.shape as readonly [number, number, number]
  const [, , height, width] = graph.inputs[0]!.shape as readonly [number, number, number, number]
  const share = Float32Array.from({ length: rows }, (_, row) =>
    row >= 4 ? 1 : 1 / (row % 2 === 0 ? width : height),
  )
  const output0 = graph.outputs[0]!.name
  const transposed = op('Transpose', [output0], ['by_anchor'], { perm: [0, 2, 1] })
  const parts = op('Split', [output0, 'parts'], ['boxes', 'scores'], { axis: 1 })
  const sizes = [['parts', int64Tensor([2], [4, rows - 4])]] as const
  return new Map([
    ['transposed', after(graph, [transposed], [value('by_anchor', [1, anchors, rows])])],
    [
      'apart',
      after(
        graph,
        [parts],
        [value('scores', [1, rows - 4, anchors]), value('boxes', [1, 4, anchors])],
        sizes,
      ),
    ],
    [
      'apart and transposed',
      after(
        graph,
        [
          parts,
          ...['boxes', 'scores'].map((name) => op('Transpose', [name], [`${name}_t`], { perm: [0, 2, 1] })),
        ],
        [value('boxes_t', [1, anchors, 4]), value('scores_t', [1, anchors, rows - 4])],
        sizes,
      ),
    ],
    [
      'shares',
      after(
        graph,
        [op('Mul', [output0, 'share'], ['relative'])],
        [value('relative', [1, rows, anchors])],
        [['share', floatTensor([1, rows, 1], share)]],
      ),
    ],
    ['corners', withCorners(graph)],
    [
      'divides by 255',
      before(graph, [op('Div', ['images', 'c255'], ['planes'])], {}, [['c255', floatTensor([], [255])]]),
    ],
    [
      'bytes, planes',
      before(
        graph,
        [op('Cast', ['images'], ['floats'], { to: 1 }), op('Mul', ['floats', 'fraction'], ['planes'])],
        { type: 'uint8' },
        [['fraction', floatTensor([1, 1, 1, 1], [1 / 255])]],
      ),
    ],
    [
      'floats, channels last',
      before(graph, [op('Transpose', ['images'], ['planes'], { perm: [0, 3, 1, 2] })], {
        shape: [1, height, width, 3],
      }),
    ],
  ])
}

/** `graph` with one branch more of `channels` channels at each level, joined to its output: as poses and turned boxes have. */
export function withFurtherBranch(graph: Graph, channels: number): Graph {
  const [, rows, anchors] = graph.outputs[0]!.shape as readonly [number, number, number]
  const constants: [string, Tensor][] = [['flat', int64Tensor([3], [1, channels, -1])]]
  const branches = findHead(graph).levels.flatMap(({ cls }, level): Node[] => {
    const read = graph.initializers.get(cls.node.inputs[1]!)!.dims[1]!
    constants.push([
      `extra_${level}_weight`,
      floatTensor([channels, read, 1, 1], new Float32Array(channels * read)),
    ])
    return [
      op('Conv', [cls.node.inputs[0]!, `extra_${level}_weight`], [`extra_${level}`]),
      op('Reshape', [`extra_${level}`, 'flat'], [`flat_${level}`]),
    ]
  })
  const names = branches.flatMap(({ opType, outputs }) => (opType === 'Reshape' ? outputs : []))
  const joined = [
    ...branches,
    op('Concat', names, ['extra'], { axis: 2 }),
    op('Concat', [graph.outputs[0]!.name, 'extra'], ['further'], { axis: 1 }),
  ]
  return after(graph, joined, [value('further', [1, rows + channels, anchors])], constants)
}

/** `graph` with its `count` best boxes as final ones `[1, count, 6]`: what a head without suppression exports. */
export function withFinalBoxes(graph: Graph, count: number): Graph {
  const corners = withCorners(graph)
  const [, rows] = graph.outputs[0]!.shape as readonly [number, number]
  const nodes = [
    op('Transpose', ['corners'], ['by_anchor'], { perm: [0, 2, 1] }),
    op('Split', ['by_anchor', 'final_parts'], ['all_boxes', 'all_scores'], { axis: 2 }),
    op('ReduceMax', ['all_scores'], ['best'], { axes: [2], keepdims: 1 }),
    op('ArgMax', ['all_scores'], ['class'], { axis: 2, keepdims: 1 }),
    op('Cast', ['class'], ['class_number'], { to: 1 }),
    op('Concat', ['all_boxes', 'best', 'class_number'], ['all'], { axis: 2 }),
    op('Squeeze', ['best', 'ends'], ['ranked']),
    op('TopK', ['ranked', 'count'], ['top', 'places'], { axis: 0 }),
    op('Gather', ['all', 'places'], ['final'], { axis: 1 }),
  ]
  const reduced = graph.opsets.get('')! >= 18 ? nodes.map(withAxesInput) : nodes
  return after(
    corners,
    reduced,
    [value('final', [1, count, 6])],
    [
      ['final_parts', int64Tensor([2], [4, rows - 4])],
      ['ends', int64Tensor([2], [0, 2])],
      ['count', int64Tensor([1], [count])],
      ['last', int64Tensor([1], [2])],
    ],
  )
}

/** From operator set 18 on the axes of a ReduceMax are an input. */
function withAxesInput(node: Node): Node {
  return node.opType === 'ReduceMax'
    ? op('ReduceMax', [node.inputs[0]!, 'last'], node.outputs, { keepdims: 1 })
    : node
}

function withCorners(graph: Graph): Graph {
  const [, rows, anchors] = graph.outputs[0]!.shape as readonly [number, number, number]
  return after(
    graph,
    [
      op('Split', [graph.outputs[0]!.name, 'corner_parts'], ['centre', 'extent', 'rest'], { axis: 1 }),
      op('Mul', ['extent', 'half'], ['halved']),
      op('Sub', ['centre', 'halved'], ['low']),
      op('Add', ['centre', 'halved'], ['high']),
      op('Concat', ['low', 'high', 'rest'], ['corners'], { axis: 1 }),
    ],
    [value('corners', [1, rows, anchors])],
    [
      ['corner_parts', int64Tensor([3], [2, 2, rows - 4])],
      ['half', floatTensor([], [0.5])],
    ],
  )
}

function value(name: string, shape: readonly number[]): ValueInfo {
  return { name, type: 'float32', shape }
}

/** `graph` with `nodes` behind its end. */
function after(
  graph: Graph,
  nodes: readonly Node[],
  outputs: readonly ValueInfo[],
  constants: Constants = [],
): Graph {
  return applyPatch(graph, { add: nodes, outputs, initializers: constants })
}

/** `graph` with `nodes`, which make `planes` of its changed input, in front. */
function before(
  graph: Graph,
  nodes: readonly Node[],
  input: Partial<ValueInfo>,
  constants: Constants = [],
): Graph {
  const users = graph.nodes.filter(({ inputs }) => inputs.includes('images'))
  const patch: Patch = {
    remove: users,
    add: [
      ...nodes,
      ...users.map((node) => ({
        ...node,
        inputs: node.inputs.map((name) => (name === 'images' ? 'planes' : name)),
      })),
    ],
    inputs: [{ ...graph.inputs[0]!, ...input }],
    initializers: constants,
  }
  return applyPatch(graph, patch)
}
