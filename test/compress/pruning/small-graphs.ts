/** Small generated networks with every coupling of a YOLOv8: residuals, splits, concatenations, pyramids. */

import { type Attribute, type Graph, makeNode, type Node, type ValueName } from '../../../src/onnx/graph.js'
import { floatTensor, int64Tensor, type Tensor } from '../../../src/onnx/tensor.js'
import { type Random, seededRandom } from '../../../src/base/random.js'
import type { CalibrationImages } from '../../../src/compress/ports.js'

/** Builds graphs node by node; all values are float [1, C, H, W]. */
export class GraphBuilder {
  readonly nodes: Node[] = []
  readonly initializers = new Map<ValueName, Tensor>()
  readonly #random: Random
  readonly #opset: number

  constructor(random: Random, opset = 17) {
    this.#random = random
    this.#opset = opset
  }

  add(
    opType: string,
    inputs: ValueName[],
    attributes: Record<string, Attribute> = {},
    outputs = 1,
  ): ValueName[] {
    const name = `${opType.toLowerCase()}_${this.nodes.length}`
    const made = Array.from({ length: outputs }, (_, at) => `${name}_out${at}`)
    this.nodes.push(makeNode(opType, name, inputs, made, { attributes }))
    return made
  }

  conv(
    input: ValueName,
    from: number,
    to: number,
    options: { kernel?: number; stride?: number; group?: number } = {},
  ): ValueName {
    const { kernel = 1, stride = 1, group = 1 } = options
    const name = `w${this.nodes.length}`
    const dims = [to, from / group, kernel, kernel]
    this.initializers.set(name, this.weights(dims, Math.sqrt(2 / ((from / group) * kernel * kernel))))
    this.initializers.set(`${name}_bias`, this.weights([to], 0.3))
    const pad = (kernel - 1) / 2
    return this.add('Conv', [input, name, `${name}_bias`], {
      kernel_shape: { kind: 'ints', value: [kernel, kernel] },
      strides: { kind: 'ints', value: [stride, stride] },
      pads: { kind: 'ints', value: [pad, pad, pad, pad] },
      group: { kind: 'int', value: group },
    })[0]!
  }

  /** Convolution and SiLU. */
  block(
    input: ValueName,
    from: number,
    to: number,
    options: { kernel?: number; stride?: number; group?: number } = {},
  ): ValueName {
    const made = this.conv(input, from, to, options)
    return this.add('Mul', [made, this.add('Sigmoid', [made])[0]!])[0]!
  }

  split(input: ValueName, sizes: number[]): ValueName[] {
    if (this.#opset < 13) {
      const attributes = { axis: { kind: 'int', value: 1 }, split: { kind: 'ints', value: sizes } } as const
      return this.add('Split', [input], attributes, sizes.length)
    }
    const name = `split${this.nodes.length}`
    this.initializers.set(name, int64Tensor([sizes.length], sizes))
    return this.add('Split', [input, name], { axis: { kind: 'int', value: 1 } }, sizes.length)
  }

  concat(inputs: ValueName[]): ValueName {
    return this.add('Concat', inputs, { axis: { kind: 'int', value: 1 } })[0]!
  }

  weights(dims: number[], deviation: number): Tensor {
    const count = dims.reduce((product, dim) => product * dim, 1)
    return floatTensor(
      dims,
      Float32Array.from({ length: count }, () => deviation * this.#random.normal()),
    )
  }

  finish(outputs: readonly ValueName[], channels: number, size: number): Graph {
    return {
      name: 'small',
      irVersion: 8,
      opsets: new Map([['', this.#opset]]),
      inputs: [{ name: 'images', type: 'float32', shape: [1, channels, size, size] }],
      outputs: outputs.map((name) => ({
        name,
        type: 'float32',
        shape: [1, `${name}_c`, `${name}_h`, `${name}_w`],
      })),
      nodes: this.nodes,
      initializers: this.initializers,
      metadata: new Map(),
      carried: undefined,
    }
  }
}

/** A network of a stem, a C2f with and one without shortcut, SPPF, upsampling, and one of the rarer couplings. */
export function smallDetector(random: Random, opset = 17): Graph {
  const build = new GraphBuilder(random, opset)
  const width = 8 * (1 + random.integer(2))
  const stem = build.block('images', 3, width, { kernel: 3, stride: 2 })
  const first = c2f(build, stem, width, width, random.integer(2) === 0)
  const down = build.block(first, width, 2 * width, { kernel: 3, stride: 2 })
  const deep = sppf(build, c2f(build, down, 2 * width, 2 * width, true), 2 * width)
  build.initializers.set('scales', floatTensor([4], [1, 1, 2, 2]))
  build.initializers.set('roi', floatTensor([0], []))
  const up = build.add('Resize', [deep, 'roi', 'scales'], { mode: { kind: 'string', value: 'nearest' } })[0]!
  const joined = build.concat([up, first])
  const neck = c2f(build, joined, 3 * width, width, false)
  const depthwise = build.block(neck, width, width, { kernel: 3, group: width })
  const grouped = build.block(depthwise, width, width, { kernel: 3, group: 2 })
  const scaled = build.add('Mul', [grouped, constant(build, [1, width, 1, 1])])[0]!
  return build.finish([build.conv(scaled, width, 6), build.conv(deep, 2 * width, 5)], 3, 32)
}

function constant(build: GraphBuilder, dims: number[]): ValueName {
  const name = `constant${build.nodes.length}`
  build.initializers.set(name, build.weights(dims, 1))
  return name
}

function c2f(build: GraphBuilder, input: ValueName, from: number, to: number, shortcut: boolean): ValueName {
  const half = to / 2
  const parts = [...build.split(build.block(input, from, to), [half, half])]
  let last = parts[1]!
  for (let count = 0; count < 2; count++) {
    const inner = build.block(build.block(last, half, half, { kernel: 3 }), half, half, { kernel: 3 })
    last = shortcut ? build.add('Add', [last, inner])[0]! : inner
    parts.push(last)
  }
  return build.block(build.concat(parts), 4 * half, to)
}

function sppf(build: GraphBuilder, input: ValueName, channels: number): ValueName {
  const pool = (value: ValueName): ValueName =>
    build.add('MaxPool', [value], {
      kernel_shape: { kind: 'ints', value: [5, 5] },
      pads: { kind: 'ints', value: [2, 2, 2, 2] },
    })[0]!
  const first = build.block(input, channels, channels / 2)
  const second = pool(first)
  const third = pool(second)
  return build.block(build.concat([first, second, third, pool(third)]), 2 * channels, channels)
}

/** A feed with random pixels. */
export function randomImage(random: Random, size: number): ReadonlyMap<string, Tensor> {
  const data = Float32Array.from({ length: 3 * size * size }, () => random.next())
  return new Map([['images', floatTensor([1, 3, size, size], data)]])
}

/** Pictures of noise with soft structure; the same index gives the same picture. */
export function noiseImages(count: number): CalibrationImages {
  return {
    count,
    read: (index, { width, height }) => {
      const random = seededRandom(1000 + index)
      const waves = Array.from({ length: 6 }, () => random.normal() / 4)
      const pixels = Uint8Array.from({ length: 3 * width * height }, (_, at) => {
        const [x, y] = [Math.floor(at / 3) % width, Math.floor(at / 3 / width)]
        const wave = Math.sin(waves[at % 3]! * x + waves[3 + (at % 3)]! * y + index)
        return Math.min(255, Math.max(0, 128 + 90 * wave + 20 * random.normal()))
      })
      return Promise.resolve(pixels)
    },
  }
}
