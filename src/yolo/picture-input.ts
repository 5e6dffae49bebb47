/**
 * How a picture enters a graph: the order of its numbers, their type, and what a full byte is worth.
 * Invariant: only what stands between the input and the first node that is no mere preparation is looked at, never a name.
 *
 *      input [1,3,H,W] or [1,H,W,3] -- Cast, Transpose, Mul or Div by a constant -- planes [1,3,H,W] of 0..1
 */

import { AgentError } from '../base/errors.js'
import { intOf, intsOf } from '../onnx/attributes.js'
import { type Graph, indexOf, type Node, type ValueInfo, type ValueName } from '../onnx/graph.js'
import { floatFromHalf } from '../onnx/half-float.js'
import { elementTypes, type Tensor } from '../onnx/tensor.js'

/** Axes as in ONNX: N pictures, C channels, H rows, W columns; channels are red, green, blue. */
export type InputLayout = `${'nchw' | 'nhwc'}-${'float' | 'uint8'}`

export interface PictureInput {
  readonly layout: InputLayout
  /** What a full byte is as the input wants it: 255 for bytes and for floats that the graph divides itself, else 1. */
  readonly max: 1 | 255
  /** The value that the network itself reads; the input where nothing prepares the pixels. */
  readonly planes: ValueName
  /** Whether a full byte is 1 there. */
  readonly isUnit: boolean
  /** What prepares the pixels, in order. */
  readonly preparation: readonly Node[]
}

/** What to do about a file that is no detector, or one in a form that is not known. */
export const exportRemedy = 'export a detector with Ultralytics: yolo export model=yolov8n.pt format=onnx'

const layoutTypes = { float32: 'float', uint8: 'uint8' } as const

/** How `input` of `graph` takes a picture. Throws `model.not_yolov8` for everything else than RGB pixels. */
export function pictureInputOf(graph: Graph, input: ValueInfo): PictureInput {
  const { type, shape } = input
  if (type !== 'float32' && type !== 'uint8') {
    throw refused(`input ${input.name} is ${type}, expected float32 or uint8`)
  }
  const { factor, last, nodes } = walkPreparation(graph, input.name)
  const order = shape.length === 4 ? orderOf(input, nodes) : undefined
  if (order === undefined) {
    const text = `${input.name} [${shape.map((dim) => dim ?? '?').join(',')}]`
    throw refused(`input ${text} is ${type}, expected [1,3,H,W] or [1,H,W,3]`)
  }
  return {
    layout: `${order}-${layoutTypes[type]}`,
    max: type === 'uint8' || isOneOver255(factor) ? 255 : 1,
    planes: last,
    isUnit: type === 'uint8' || isOneOver255(factor) ? isOneOver255(factor) : factor === 1,
    preparation: nodes,
  }
}

/** Where the channels are: the axis of three, else what a Transpose makes of it, else what goes with the type. */
function orderOf({ shape, type }: ValueInfo, nodes: readonly Node[]): 'nchw' | 'nhwc' | undefined {
  const [, second, , fourth] = shape
  const isTransposed = nodes.some((node) => intsOf(node, 'perm')?.join() === '0,3,1,2')
  const usual = isTransposed || type === 'uint8' ? 'nhwc' : 'nchw'
  if (second === 3) return fourth === 3 ? usual : 'nchw'
  if (fourth === 3) return 'nhwc'
  const known = usual === 'nchw' ? second : fourth
  return typeof known === 'number' ? undefined : usual
}

function walkPreparation(
  graph: Graph,
  input: ValueName,
): { readonly factor: number; readonly last: ValueName; readonly nodes: readonly Node[] } {
  const { isOutput, usersOf } = indexOf(graph)
  const nodes: Node[] = []
  let last = input
  let factor = 1
  for (;;) {
    const [node, ...others] = usersOf(last)
    if (node === undefined || others.length > 0 || isOutput(last)) break
    const step = factorOf(graph, node, last)
    if (step === undefined) break
    factor *= step
    nodes.push(node)
    last = node.outputs[0]!
  }
  return { factor, last, nodes }
}

/** What `node` multiplies pixels by; undefined where it does more than prepare them. */
function factorOf(graph: Graph, node: Node, value: ValueName): number | undefined {
  switch (node.domain === '' ? node.opType : '') {
    case 'Identity':
      return 1
    case 'Cast':
      return [elementTypes.float32.onnx, elementTypes.float16.onnx].includes(intOf(node, 'to', 0) as 1)
        ? 1
        : undefined
    case 'Transpose':
      return intsOf(node, 'perm')?.join() === '0,3,1,2' ? 1 : undefined
    case 'Mul': {
      const other = node.inputs[0] === value ? node.inputs[1] : node.inputs[0]
      return constantOf(graph.initializers.get(other ?? ''))
    }
    case 'Div': {
      const divisor = constantOf(graph.initializers.get(node.inputs[1] ?? ''))
      return divisor === undefined || divisor === 0 ? undefined : 1 / divisor
    }
    default:
      return undefined
  }
}

/** The one number that fills `tensor`. */
function constantOf(tensor: Tensor | undefined): number | undefined {
  if (tensor === undefined || tensor.data.length === 0) return undefined
  const values = Array.from(tensor.data, Number).map((value) =>
    tensor.type === 'float16' ? floatFromHalf(value) : value,
  )
  return values.every((value) => value === values[0]) ? values[0] : undefined
}

/** Exporters divide by 255 or 256, or multiply by a rounded fraction. */
function isOneOver255(factor: number): boolean {
  return factor * 255 > 0.98 && factor * 255 < 1.02
}

function refused(problem: string): AgentError {
  return new AgentError('model.not_yolov8', `reading a YOLOv8 detection model: ${problem}`, {
    hint: exportRemedy,
  })
}
