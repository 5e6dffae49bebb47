/**
 * The deployed form of a detector: bytes in, raw head logits out.
 * Before:  images float32 [1,3,H,W] in 0..1  ->  body  ->  six convolutions  ->  DFL, anchors, sigmoid, Concat  ->  [1,4+nc,N]
 * After:   images uint8 [1,H,W,3] in 0..255  ->  Cast, * 1/255, Transpose  ->  body  ->  p3_box, p3_cls, ..., p5_cls
 * Conditions: one input of known size. Exact: only rounding of the division by 255 differs (one unit in the last place).
 */

import { AgentError } from '../../base/errors.js'
import { intAttribute, intsAttribute, intsOf, withoutAttributes } from '../../onnx/attributes.js'
import { type Graph, indexOf, makeNode, type Node } from '../../onnx/graph.js'
import { opsetOf } from '../../onnx/opset.js'
import { applyPatch } from '../../onnx/patch.js'
import { elementTypes, floatTensor, int64Tensor } from '../../onnx/tensor.js'
import { findHead } from '../../yolo/find-head.js'
import { describeModel } from '../../yolo/model-description.js'

/** The edge form of `graph`; a graph in that form already comes back as it is. Throws `model.not_yolov8`. */
export function toEdgeForm(graph: Graph): Graph {
  return withByteInput(withRawHeads(withoutOldSplits(graph)))
}

/** Cuts everything behind the six last convolutions and names their outputs. */
function withRawHeads(graph: Graph): Graph {
  const description = describeModel(graph)
  if (description.output.kind === 'heads') return graph
  const { inputWidth, inputHeight } = description
  const renamed = new Map<Node, string>()
  const outputs = findHead(graph).levels.flatMap((level) =>
    [
      { branch: level.box, name: `p${Math.log2(level.stride)}_box` },
      { branch: level.cls, name: `p${Math.log2(level.stride)}_cls` },
    ].map(({ branch, name }) => {
      renamed.set(branch.node, name)
      const shape = [1, branch.channels, inputHeight / level.stride, inputWidth / level.stride]
      return { name, type: 'float32' as const, shape }
    }),
  )
  const needed = new Set<Node>(renamed.keys())
  const { producerOf } = indexOf(graph)
  for (const node of needed) {
    for (const input of node.inputs) {
      const producer = producerOf(input)
      if (producer !== undefined) needed.add(producer)
    }
  }
  const gone = graph.nodes.filter((node) => !needed.has(node) || renamed.has(node))
  const heads = [...renamed].map(([node, name]) => ({ ...node, outputs: [name] }))
  return applyPatch(graph, { remove: gone, add: heads, outputs })
}

/** Lets the graph take the bytes of a picture, row by row. */
function withByteInput(graph: Graph): Graph {
  const { inputName, inputLayout, inputWidth, inputHeight } = describeModel(graph)
  if (inputLayout === 'nhwc-uint8') return graph
  const [floats, scaled, planes, factor] = ['floats', 'scaled', 'planes', 'scale'].map(
    (suffix) => `${inputName}/${suffix}`,
  ) as [string, string, string, string]
  const users = indexOf(graph).usersOf(inputName)
  const cast = { to: intAttribute(elementTypes.float32.onnx) }
  return applyPatch(graph, {
    remove: users,
    add: [
      makeNode('Cast', floats, [inputName], [floats], { attributes: cast }),
      makeNode('Mul', scaled, [floats, factor], [scaled]),
      makeNode('Transpose', planes, [scaled], [planes], {
        attributes: { perm: intsAttribute([0, 3, 1, 2]) },
      }),
      ...users.map((node) => ({
        ...node,
        inputs: node.inputs.map((input) => (input === inputName ? planes : input)),
      })),
    ],
    initializers: [[factor, floatTensor([], [1 / 255])]],
    inputs: [{ name: inputName, type: 'uint8', shape: [1, inputHeight, inputWidth, 3] }],
  })
}

/** Operator set 13 moved the sizes of Split from an attribute to an input. */
function withoutOldSplits(graph: Graph): Graph {
  if (opsetOf(graph) >= 13) return graph
  if (opsetOf(graph) < 11) {
    throw new AgentError(
      'model.op_unsupported',
      `the model has opset ${opsetOf(graph)}, expected 11 or newer`,
    )
  }
  const splits = graph.nodes.filter((node) => node.opType === 'Split' && intsOf(node, 'split') !== undefined)
  return applyPatch(graph, {
    remove: splits,
    add: splits.map((node) => ({
      ...node,
      inputs: [node.inputs[0]!, `${node.name}/sizes`],
      attributes: withoutAttributes(node, 'split'),
    })),
    initializers: splits.map((node) => {
      const sizes = intsOf(node, 'split')!
      return [`${node.name}/sizes`, int64Tensor([sizes.length], sizes)]
    }),
    opsets: new Map([...graph.opsets, ['', 17]]),
  })
}
