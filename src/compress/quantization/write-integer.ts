/**
 * Writes the int8 model in ONNX Runtime's own integer operators, channels last.
 * Why not QDQ: ORT then has nothing to match and nothing to miss. The picture's bytes are the first convolution's
 * input, maps stay `[1, h, w, C]` from there to the heads, and no transpose or float border is left between.
 * Invariant: a value exists as integers `[1, h, w, C]`, as floats `[1, C, h, w]`, or both; conversions are made once,
 * where somebody needs the other form. Outputs of the graph keep their names; those that a convolution on integers makes
 * leave as its integers, and the metadata say what they stand for.
 */

import { present } from '../../base/assert.js'
import { intAttribute, intOf, intsAttribute, intsOf, stringOf } from '../../onnx/attributes.js'
import { type Graph, indexOf, type Node, type ValueInfo, type ValueName } from '../../onnx/graph.js'
import { microsoftDomain } from '../../onnx/opset.js'
import { applyPatch } from '../../onnx/patch.js'
import { shapesOf } from '../../onnx/shapes/infer-shapes.js'
import { byteOutputsEntry } from '../../yolo/byte-scale.js'
import type { AffineParams } from './affine.js'
import { foldBias, foldWeight, isFoldable } from './fold-image.js'
import { GraphBuilder } from './graph-builder.js'
import { type ConvolutionTable, integerBias } from './integer-convolution.js'
import type { QuantizationPlan } from './quantization-plan.js'
import { enlargement } from './rules.js'

export interface WriteOptions {
  readonly scales: ReadonlyMap<ValueName, AffineParams>
  readonly convolutions: ConvolutionTable
}

/** One operator to its integer form: appends nodes that make the integers of the node's outputs. */
type Lowering = (writer: IntegerWriter, node: Node) => void

const lowerings: ReadonlyMap<string, Lowering> = new Map([
  ['Conv', lowerConvolution],
  [
    'Sigmoid',
    (writer, node) => {
      writer.elementwise('QLinearSigmoid', node)
    },
  ],
  [
    'Mul',
    (writer, node) => {
      writer.elementwise('QLinearMul', node)
    },
  ],
  [
    'Add',
    (writer, node) => {
      writer.elementwise('QLinearAdd', node)
    },
  ],
  ['Concat', lowerConcat],
  ['Split', lowerSplit],
  ['MaxPool', lowerMaxPool],
  ['Resize', lowerResize],
])

/** The int8 graph of `plan`. */
export function writeInteger(plan: QuantizationPlan, options: WriteOptions): Graph {
  const writer = new IntegerWriter(plan, options)
  const preparation = new Set(plan.image?.nodes)
  for (const node of plan.graph.nodes) {
    if (plan.quantized.has(node.name)) lowerings.get(node.opType)!(writer, node)
    else if (!preparation.has(node)) writer.keepFloat(node)
  }
  const outputs = plan.graph.outputs.map((output) => writer.output(output))
  const { nodes, initializers } = writer.builder
  const { metadata, opsets } = plan.graph
  const scales = new Map([...writer.byteOutputs].map((name) => [name, writer.scaleOf(name)]))
  return applyPatch(plan.graph, {
    remove: plan.graph.nodes,
    add: nodes,
    initializers,
    outputs,
    metadata: scales.size === 0 ? metadata : new Map([...metadata, byteOutputsEntry(scales)]),
    opsets: new Map([...opsets, [microsoftDomain, 1]]),
  })
}

/** The outputs of `plan` that a quantised convolution makes as unsigned bytes and nothing in the graph reads. */
function byteOutputsOf(plan: QuantizationPlan, options: WriteOptions): ReadonlySet<ValueName> {
  const { producerOf, usersOf } = indexOf(plan.graph)
  const names = plan.graph.outputs.map(({ name }) => name)
  return new Set(
    names.filter((name) => {
      const producer = producerOf(name)
      if (producer?.opType !== 'Conv' || !plan.quantized.has(producer.name)) return false
      return usersOf(name).length === 0 && options.scales.get(name)?.low === 0
    }),
  )
}

class IntegerWriter {
  readonly builder = new GraphBuilder()
  readonly plan: QuantizationPlan
  readonly options: WriteOptions
  /** Outputs of the graph that leave as bytes. */
  readonly byteOutputs: ReadonlySet<ValueName>
  readonly #integers = new Map<ValueName, ValueName>()
  readonly #floats = new Set<ValueName>()

  constructor(plan: QuantizationPlan, options: WriteOptions) {
    this.plan = plan
    this.options = options
    this.byteOutputs = byteOutputsOf(plan, options)
    if (plan.image !== undefined) this.#integers.set(plan.image.value, plan.image.input)
    for (const input of plan.graph.inputs) this.#floats.add(input.name)
  }

  get graph(): Graph {
    return this.plan.graph
  }

  scaleOf(value: ValueName): AffineParams {
    return present(this.options.scales.get(value), `${value} has a scale`)
  }

  /** The integers `[1, h, w, C]` of `value`; quantises it where it exists as float only. */
  integers(value: ValueName): ValueName {
    const known = this.#integers.get(value)
    if (known !== undefined) return known
    const planes = `${value}/planes`
    const [scale, zero] = this.builder.params(this.scaleOf(value))
    this.builder.op('QuantizeLinear', [value, scale, zero], [planes])
    const name = this.made(value)
    this.builder.op('Transpose', [planes], [name], { attributes: { perm: intsAttribute([0, 2, 3, 1]) } })
    return name
  }

  /** Names the integers of `value`, which a node about to be appended makes. */
  made(value: ValueName): ValueName {
    const name = this.byteOutputs.has(value) ? value : `${value}/int8`
    this.#integers.set(value, name)
    return name
  }

  /** The floats `[1, C, h, w]` of `value`, under its own name. */
  float(value: ValueName): ValueName {
    if (this.#floats.has(value) || this.graph.initializers.has(value) || value === '') return value
    if (value === this.plan.image?.value) {
      // Somebody computes in float from the picture on: the nodes that make floats of its bytes stay.
      this.builder.nodes.push(...this.plan.image.nodes)
      this.#floats.add(value)
      return value
    }
    const planes = `${value}/planes`
    const [scale, zero] = this.builder.params(this.scaleOf(value))
    this.builder.op('Transpose', [this.integers(value)], [planes], {
      attributes: { perm: intsAttribute([0, 3, 1, 2]) },
    })
    this.builder.op('DequantizeLinear', [planes, scale, zero], [value])
    this.#floats.add(value)
    return value
  }

  /** Makes an output of the graph, and says what it is now. */
  output(output: ValueInfo): ValueInfo {
    if (!this.byteOutputs.has(output.name)) {
      this.float(output.name)
      return output
    }
    const [batch, channels, height, width] = output.shape
    return { name: output.name, type: 'uint8', shape: [batch, height, width, channels] }
  }

  keepFloat(node: Node): void {
    for (const input of node.inputs) this.float(input)
    this.builder.nodes.push(node)
    for (const output of node.outputs) this.#floats.add(output)
  }

  /** A node of one or two inputs that carry scale and zero point each, as the output does. */
  elementwise(opType: string, node: Node): void {
    const [output = ''] = node.outputs
    const inputs = node.inputs.flatMap((input) => [
      this.integers(input),
      ...this.builder.params(this.scaleOf(input)),
    ])
    const params = this.builder.params(this.scaleOf(output))
    this.builder.op(opType, [...inputs, ...params], [this.made(output)], { microsoft: true })
  }
}

function lowerConvolution(writer: IntegerWriter, node: Node): void {
  const { graph, builder, options, plan } = writer
  const [input = ''] = node.inputs
  const [output = ''] = node.outputs
  const found = present(options.convolutions.get(node.name), `${node.name} has integer constants`)
  const shape = present(shapesOf(graph).staticShapeOf(input), `the size of ${input} is known`)
  const fold = input === plan.image?.value && isFoldable(node, found.weight, shape[3]!)
  const weight = fold ? foldWeight(found.weight) : found.weight
  const inputScale = writer.scaleOf(input)
  const bias = integerBias(fold ? foldBias(found.bias) : found.bias, inputScale.scale, weight.scales)
  const channels = weight.scales.length
  const constants = [
    builder.constant(`${node.name}/weight`, { type: 'int8', dims: weight.dims, data: weight.integers }),
    builder.constant(`${node.name}/weight_scale`, { type: 'float32', dims: [channels], data: weight.scales }),
    builder.constant(`${node.name}/weight_zero`, {
      type: 'int8',
      dims: [channels],
      data: new Int8Array(channels),
    }),
  ]
  const biasName = builder.constant(`${node.name}/bias`, { type: 'int32', dims: [channels], data: bias })
  let source = writer.integers(input)
  let made = writer.made(output)
  const integers = made
  if (fold) {
    const grouped = `${input}/groups`
    builder.op('Reshape', [source, builder.ints([1, shape[2]!, shape[3]! / 4, 12])], [grouped])
    source = grouped
    made = `${made}/groups`
  }
  const inputs = [
    source,
    ...builder.params(inputScale),
    ...constants,
    ...builder.params(writer.scaleOf(output)),
    biasName,
  ]
  builder.op('QLinearConv', inputs, [made], {
    microsoft: true,
    attributes: {
      channels_last: intAttribute(1),
      group: intAttribute(intOf(node, 'group', 1)),
      kernel_shape: intsAttribute(weight.dims.slice(2)),
      strides: intsAttribute(fold ? [2, 1] : (intsOf(node, 'strides') ?? [1, 1])),
      pads: intsAttribute(fold ? [1, 1, 1, 0] : padsOf(node)),
      dilations: intsAttribute(intsOf(node, 'dilations') ?? [1, 1]),
    },
  })
  if (fold) {
    const size = [1, shape[2]! / 2, shape[3]! / 2, channels / 2]
    builder.op('Reshape', [made, builder.ints(size)], [integers])
  }
}

function padsOf(node: Node): readonly number[] {
  return intsOf(node, 'pads') ?? [0, 0, 0, 0]
}

function lowerConcat(writer: IntegerWriter, node: Node): void {
  const [output = ''] = node.outputs
  const inputs = joinedSplits(node, writer.plan).map((input) => writer.integers(input))
  writer.builder.op('Concat', inputs, [writer.made(output)], { attributes: { axis: intAttribute(3) } })
}

/** The inputs of a Concat, with the input of a Split in place of all its outputs in a row: they are one there still. */
function joinedSplits(node: Node, { graph, quantized }: QuantizationPlan): readonly ValueName[] {
  const { producerOf } = indexOf(graph)
  const joined: ValueName[] = []
  for (let at = 0; at < node.inputs.length;) {
    const input = node.inputs[at]!
    const split = producerOf(input)
    const parts = split?.opType === 'Split' && quantized.has(split.name) ? split.outputs : [input]
    const isWhole = parts.every((part, index) => node.inputs[at + index] === part)
    joined.push(isWhole && parts.length > 1 ? split!.inputs[0]! : input)
    at += isWhole ? parts.length : 1
  }
  return joined
}

function lowerSplit(writer: IntegerWriter, node: Node): void {
  const { graph, builder } = writer
  const sizes = node.outputs.map(
    (output) => present(shapesOf(graph).staticShapeOf(output), `the size of ${output} is known`)[1]!,
  )
  const inputs = [writer.integers(node.inputs[0]!), builder.ints(sizes)]
  const outputs = node.outputs.map((output) => writer.made(output))
  builder.op('Split', inputs, outputs, { attributes: { axis: intAttribute(3) } })
}

function lowerMaxPool(writer: IntegerWriter, node: Node): void {
  const [output = ''] = node.outputs
  const input = writer.integers(node.inputs[0]!)
  writer.builder.op('NhwcMaxPool', [input], [writer.made(output)], {
    microsoft: true,
    attributes: {
      auto_pad: { kind: 'string', value: stringOf(node, 'auto_pad', 'NOTSET') },
      kernel_shape: intsAttribute(intsOf(node, 'kernel_shape') ?? []),
      strides: intsAttribute(intsOf(node, 'strides') ?? [1, 1]),
      pads: intsAttribute(padsOf(node)),
      dilations: intsAttribute(intsOf(node, 'dilations') ?? [1, 1]),
    },
  })
}

/**
 * Nearest enlargement by copies: [h, 1, w, 1, C] expanded to [h, r, w, c, C]. ORT's Resize of bytes is one thread and
 * one element at a time; Expand copies whole rows.
 */
function lowerResize(writer: IntegerWriter, node: Node): void {
  const { graph, builder } = writer
  const [input = ''] = node.inputs
  const [output = ''] = node.outputs
  const [, channels, height, width] = present(
    shapesOf(graph).staticShapeOf(input),
    `the size of ${input} is known`,
  )
  const { rows, columns } = present(enlargement(node, graph), `${node.name} enlarges by whole numbers`)
  const source = writer.integers(input)
  const made = writer.made(output)
  const [apart, repeated] = [`${made}/apart`, `${made}/repeated`]
  builder.op('Reshape', [source, builder.ints([1, height!, 1, width!, 1, channels!])], [apart])
  builder.op('Expand', [apart, builder.ints([1, height!, rows, width!, columns, channels!])], [repeated])
  builder.op('Reshape', [repeated, builder.ints([1, height! * rows, width! * columns, channels!])], [made])
}
