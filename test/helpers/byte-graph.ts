/** Small graphs on bytes, as the compressor writes them: convolutions, SiLUs, splits and concatenations with random constants. */

import { seededRandom } from '../../src/base/random.js'
import { intAttribute, intsAttribute } from '../../src/onnx/attributes.js'
import { type Graph, makeNode, type Node, type ValueName } from '../../src/onnx/graph.js'
import type { Tensor } from '../../src/onnx/tensor.js'

const microsoft = 'com.microsoft'

export interface ConvolutionShape {
  readonly channels: number
  readonly kernel: readonly [number, number]
  readonly strides?: readonly [number, number]
  readonly pads?: readonly [number, number, number, number]
  readonly group?: number
}

/** Builds a graph whose one input is `x`, unsigned bytes `[1, height, width, channels]`. */
export class ByteGraph {
  readonly random: ReturnType<typeof seededRandom>
  readonly #nodes: Node[] = []
  readonly #initializers = new Map<ValueName, Tensor>()
  readonly #channels = new Map<ValueName, number>()
  readonly #size: readonly [number, number]
  #count = 0

  constructor(seed: number, height: number, width: number, channels: number) {
    this.random = seededRandom(seed)
    this.#size = [height, width]
    this.#channels.set('x', channels)
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + Math.floor(this.random.next() * (most - least + 1))
  }

  convolution(input: ValueName, shape: ConvolutionShape): ValueName {
    const { channels, kernel, strides = [1, 1], pads = [0, 0, 0, 0], group = 1 } = shape
    const inputs = this.#channels.get(input)! / group
    const weights = Int8Array.from({ length: channels * inputs * kernel[0] * kernel[1] }, () =>
      this.between(-128, 127),
    )
    const perSum = Math.sqrt(inputs * kernel[0] * kernel[1])
    const weightScales = Float32Array.from({ length: channels }, () => 0.002 + this.random.next() * 0.02)
    const bias = Int32Array.from({ length: channels }, () => this.between(-20_000, 20_000))
    const output = this.#made(channels)
    this.#node(
      'QLinearConv',
      [
        input,
        ...this.#params(0.02),
        this.#constant({ type: 'int8', dims: [channels, inputs, ...kernel], data: weights }),
        this.#constant({ type: 'float32', dims: [channels], data: weightScales }),
        this.#constant({ type: 'int8', dims: [channels], data: new Int8Array(channels) }),
        ...this.#params(0.05 * perSum),
        this.#constant({ type: 'int32', dims: [channels], data: bias }),
      ],
      [output],
      {
        channels_last: intAttribute(1),
        group: intAttribute(group),
        kernel_shape: intsAttribute(kernel),
        strides: intsAttribute(strides),
        pads: intsAttribute(pads),
        dilations: intsAttribute([1, 1]),
      },
    )
    return output
  }

  silu(input: ValueName): ValueName {
    const [gate, output] = [this.#made(this.#channels.get(input)!), this.#made(this.#channels.get(input)!)]
    const source = this.#params(0.05)
    const gateParams = this.#params(1 / 255)
    this.#node('QLinearSigmoid', [input, ...source, ...gateParams], [gate])
    this.#node('QLinearMul', [input, ...source, gate, ...gateParams, ...this.#params(0.04)], [output])
    return output
  }

  split(input: ValueName, sizes: readonly number[]): readonly ValueName[] {
    const outputs = sizes.map((size) => this.#made(size))
    const size = this.#constant({
      type: 'int64',
      dims: [sizes.length],
      data: BigInt64Array.from(sizes.map(BigInt)),
    })
    this.#nodes.push(
      makeNode('Split', `${outputs[0]!}/Split`, [input, size], outputs, {
        attributes: { axis: intAttribute(3) },
      }),
    )
    return outputs
  }

  concat(inputs: readonly ValueName[]): ValueName {
    const output = this.#made(inputs.reduce((sum, input) => sum + this.#channels.get(input)!, 0))
    this.#nodes.push(
      makeNode('Concat', `${output}/Concat`, inputs, [output], { attributes: { axis: intAttribute(3) } }),
    )
    return output
  }

  graph(outputs: readonly ValueName[]): Graph {
    return {
      name: 'bytes',
      irVersion: 8,
      opsets: new Map([
        ['', 17],
        [microsoft, 1],
      ]),
      inputs: [{ name: 'x', type: 'uint8', shape: [1, ...this.#size, this.#channels.get('x')!] }],
      outputs: outputs.map((name) => ({ name, type: 'uint8', shape: [1, undefined, undefined, undefined] })),
      nodes: this.#nodes,
      initializers: this.#initializers,
      metadata: new Map(),
      carried: undefined,
    }
  }

  #node(
    opType: string,
    inputs: readonly ValueName[],
    outputs: readonly ValueName[],
    attributes: Node['attributes'] extends ReadonlyMap<string, infer A>
      ? Readonly<Record<string, A>>
      : never = {},
  ): void {
    this.#nodes.push(
      makeNode(opType, `${outputs[0]!}/${opType}`, inputs, outputs, { domain: microsoft, attributes }),
    )
  }

  #params(scale: number): readonly [ValueName, ValueName] {
    const zero: Tensor = { type: 'uint8', dims: [], data: Uint8Array.of(this.between(0, 255)) }
    const size = Math.fround(scale * (0.5 + this.random.next()))
    return [this.#constant({ type: 'float32', dims: [], data: Float32Array.of(size) }), this.#constant(zero)]
  }

  #constant(tensor: Tensor): ValueName {
    const name = `constant_${this.#count++}`
    this.#initializers.set(name, tensor)
    return name
  }

  #made(channels: number): ValueName {
    const name = `value_${this.#count++}`
    this.#channels.set(name, channels)
    return name
  }
}
