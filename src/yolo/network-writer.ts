/**
 * Writes the layers of a YOLOv8 network node by node.
 * Invariant: weights have the names that Ultralytics' exports give them (`model.2.cv1.conv.weight`), so they go over by name.
 */

import { floatAttribute, intAttribute, intsAttribute } from '../onnx/attributes.js'
import { type Attribute, makeNode, type Node, type ValueName } from '../onnx/graph.js'
import { floatTensor, type Tensor } from '../onnx/tensor.js'

/** Gives the first weights of a convolution: `[out, in, k, k]`, row-major. */
export type WeightSource = (name: string, dims: readonly number[]) => Float32Array

/** A value `[N, channels, h, w]`. */
export interface Feature {
  readonly name: ValueName
  readonly channels: number
}

/** One level of the head: raw logits. */
export interface NetworkLevel {
  /** Input pixels per cell. */
  readonly stride: number
  readonly box: Feature
  readonly cls: Feature
}

/** Of Ultralytics' models, where PyTorch's default is 1e-5. */
const batchNormEpsilon = 1e-3

interface ConvolutionSize {
  readonly channels: number
  readonly kernel: number
  readonly stride?: number
}

export class NetworkWriter {
  readonly nodes: Node[] = []
  readonly initializers = new Map<ValueName, Tensor>()
  readonly #batchNorm: boolean
  readonly #weights: WeightSource

  /** With `batchNorm`, each convolution but the last ones is followed by one and has no bias of its own. */
  constructor(batchNorm: boolean, weights: WeightSource) {
    this.#batchNorm = batchNorm
    this.#weights = weights
  }

  /** Appends a node and returns its first output. */
  op(
    opType: string,
    inputs: readonly ValueName[],
    outputs: readonly ValueName[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): ValueName {
    this.nodes.push(makeNode(opType, outputs[0]!, inputs, outputs, { attributes }))
    return outputs[0]!
  }

  constant(name: ValueName, tensor: Tensor): ValueName {
    this.initializers.set(name, tensor)
    return name
  }

  /** Convolution, batch norm where there is one, SiLU. `at` is the module's path: `model.2.cv1`. */
  convBlock(at: string, input: Feature, size: ConvolutionSize): Feature {
    const { channels } = size
    const scope = pathOf(at)
    let value = this.#convolution(`${at}.conv`, `${scope}/conv`, input, size, !this.#batchNorm)
    if (this.#batchNorm) value = this.#normalization(at, scope, value, channels)
    const gate = this.op('Sigmoid', [value], [`${scope}/act/Sigmoid_output_0`])
    return { name: this.op('Mul', [value, gate], [`${scope}/act/Mul_output_0`]), channels }
  }

  /** A bare 1x1 convolution with a bias: the end of a head branch. */
  lastConvolution(at: string, input: Feature, channels: number, bias: number): Feature {
    const name = this.#convolution(at, pathOf(at), input, { channels, kernel: 1 }, true)
    this.constant(`${at}.bias`, floatTensor([channels], new Float32Array(channels).fill(bias)))
    return { name, channels }
  }

  /** Cross-stage block with two convolutions (C2f): one half goes on through `repeats` bottlenecks, all is joined. */
  c2f(at: string, input: Feature, channels: number, repeats: number, shortcut: boolean): Feature {
    const hidden = channels / 2
    const scope = pathOf(at)
    const whole = this.convBlock(`${at}.cv1`, input, { channels, kernel: 1 })
    const halves = [0, 1].map((index) => `${scope}/Split_output_${index}`)
    const sizes = this.constant(`${scope}/split`, {
      type: 'int64',
      dims: [2],
      data: BigInt64Array.of(BigInt(hidden), BigInt(hidden)),
    })
    this.op('Split', [whole.name, sizes], halves, { axis: intAttribute(1) })
    const parts = halves.map((name): Feature => ({ name, channels: hidden }))
    for (let index = 0; index < repeats; index++) {
      parts.push(this.#bottleneck(`${at}.m.${index}`, parts.at(-1)!, shortcut))
    }
    return this.convBlock(`${at}.cv2`, this.concat(`${scope}/Concat_output_0`, parts), {
      channels,
      kernel: 1,
    })
  }

  #bottleneck(at: string, input: Feature, shortcut: boolean): Feature {
    const { channels } = input
    const inner = this.convBlock(`${at}.cv1`, input, { channels, kernel: 3 })
    const outer = this.convBlock(`${at}.cv2`, inner, { channels, kernel: 3 })
    if (!shortcut) return outer
    return { name: this.op('Add', [input.name, outer.name], [`${pathOf(at)}/Add_output_0`]), channels }
  }

  /** Fast spatial pyramid pooling (SPPF): three 5x5 poolings, one after the other. */
  sppf(at: string, input: Feature, channels: number): Feature {
    const scope = pathOf(at)
    const parts = [this.convBlock(`${at}.cv1`, input, { channels: input.channels / 2, kernel: 1 })]
    for (const step of ['m', 'm_1', 'm_2']) {
      const last = parts.at(-1)!
      const name = this.op('MaxPool', [last.name], [`${scope}/${step}/MaxPool_output_0`], {
        kernel_shape: intsAttribute([5, 5]),
        pads: intsAttribute([2, 2, 2, 2]),
        strides: intsAttribute([1, 1]),
      })
      parts.push({ name, channels: last.channels })
    }
    return this.convBlock(`${at}.cv2`, this.concat(`${scope}/Concat_output_0`, parts), {
      channels,
      kernel: 1,
    })
  }

  /** Twice as high and wide; each value four times. */
  upsample(at: string, input: Feature): Feature {
    const scales = this.constant('upsample_scales', floatTensor([4], [1, 1, 2, 2]))
    const name = this.op('Resize', [input.name, '', scales], [`${pathOf(at)}/Resize_output_0`], {
      coordinate_transformation_mode: { kind: 'string', value: 'asymmetric' },
      mode: { kind: 'string', value: 'nearest' },
      nearest_mode: { kind: 'string', value: 'floor' },
    })
    return { name, channels: input.channels }
  }

  concat(output: ValueName, parts: readonly Feature[]): Feature {
    const inputs = parts.map((part) => part.name)
    return {
      name: this.op('Concat', inputs, [output], { axis: intAttribute(1) }),
      channels: parts.reduce((sum, part) => sum + part.channels, 0),
    }
  }

  #convolution(
    at: string,
    scope: string,
    input: Feature,
    size: ConvolutionSize,
    hasBias: boolean,
  ): ValueName {
    const { channels, kernel, stride = 1 } = size
    const dims = [channels, input.channels, kernel, kernel]
    const pad = (kernel - 1) / 2
    const inputs = [
      input.name,
      this.constant(`${at}.weight`, floatTensor(dims, this.#weights(`${at}.weight`, dims))),
    ]
    if (hasBias) inputs.push(this.constant(`${at}.bias`, floatTensor([channels], new Float32Array(channels))))
    return this.op('Conv', inputs, [`${scope}/Conv_output_0`], {
      dilations: intsAttribute([1, 1]),
      group: intAttribute(1),
      kernel_shape: intsAttribute([kernel, kernel]),
      pads: intsAttribute([pad, pad, pad, pad]),
      strides: intsAttribute([stride, stride]),
    })
  }

  #normalization(at: string, scope: string, value: ValueName, channels: number): ValueName {
    const first = { weight: 1, bias: 0, running_mean: 0, running_var: 1 }
    const vectors = Object.entries(first).map(([part, fill]) =>
      this.constant(`${at}.bn.${part}`, floatTensor([channels], new Float32Array(channels).fill(fill))),
    )
    return this.op('BatchNormalization', [value, ...vectors], [`${scope}/bn/BatchNormalization_output_0`], {
      epsilon: floatAttribute(batchNormEpsilon),
    })
  }
}

/** `model.2.cv1` as a prefix of value names: `/model.2/cv1`. */
function pathOf(at: string): string {
  const [, layer, ...rest] = at.split('.')
  return `/model.${layer ?? ''}${rest.length === 0 ? '' : `/${rest.join('.')}`}`
}
