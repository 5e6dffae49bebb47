/**
 * Lets the graph take the bytes of a picture, row by row.
 * Before:  images float32 [1,3,H,W] in 0..1 -> users;  or any other input, with its own way to planes of 0..1 -> users
 * After:   images uint8 [1,H,W,3] in 0..255 -> Cast -> Mul 1/255 -> Transpose -> users
 * Conditions: one input of known size, planes of float32. Exact but for the last place: x / 255 is x * (1/255).
 */

import { AgentError } from '../../base/errors.js'
import { intAttribute, intsAttribute } from '../../onnx/attributes.js'
import { indexOf, makeNode } from '../../onnx/graph.js'
import { elementTypes, floatTensor } from '../../onnx/tensor.js'
import { describeModel } from '../../yolo/model-description.js'
import { pictureInputOf } from '../../yolo/picture-input.js'
import type { Pass } from '../run-passes.js'

export const uint8Input: Pass = {
  name: 'uint8-input',
  patch: (graph) => {
    const { inputName, inputLayout, inputWidth, inputHeight } = describeModel(graph)
    if (inputLayout === 'nhwc-uint8') return undefined
    const [floats, scaled, planes, factor] = ['floats', 'scaled', 'planes', 'scale'].map(
      (suffix) => `${inputName}/${suffix}`,
    ) as [string, string, string, string]
    const { planes: read, preparation, isUnit } = pictureInputOf(graph, graph.inputs[0]!)
    if (!isUnit) {
      throw new AgentError(
        'model.op_unsupported',
        `cannot let ${inputName} take bytes: the network reads ${read} in another range than 0..1`,
        { hint: 'export the model with pixels of 0..1, as Ultralytics does' },
      )
    }
    const users = indexOf(graph).usersOf(read)
    const cast = { to: intAttribute(elementTypes.float32.onnx) }
    const channelsFirst = { perm: intsAttribute([0, 3, 1, 2]) }
    return {
      remove: [...preparation, ...users],
      add: [
        makeNode('Cast', floats, [inputName], [floats], { attributes: cast }),
        makeNode('Mul', scaled, [floats, factor], [scaled]),
        makeNode('Transpose', planes, [scaled], [planes], { attributes: channelsFirst }),
        ...users.map((node) => ({
          ...node,
          inputs: node.inputs.map((input) => (input === read ? planes : input)),
        })),
      ],
      initializers: [[factor, floatTensor([], [1 / 255])]],
      inputs: [{ name: inputName, type: 'uint8', shape: [1, inputHeight, inputWidth, 3] }],
    }
  },
}
