/**
 * Collects the nodes and constants of a graph under construction.
 * Invariant: constants with equal content are one initializer, and names do not depend on anything but the order of
 * calls: the same calls give the same graph.
 */

import { type Attribute, makeNode, type Node, type ValueName } from '../../onnx/graph.js'
import { microsoftDomain } from '../../onnx/opset.js'
import { floatTensor, int64Tensor, type Tensor } from '../../onnx/tensor.js'
import type { AffineParams } from './affine.js'

export interface OpOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>
  /** An operator of ONNX Runtime's own domain. */
  readonly microsoft?: boolean
}

export class GraphBuilder {
  readonly nodes: Node[] = []
  readonly initializers = new Map<ValueName, Tensor>()
  readonly #scalars = new Map<string, ValueName>()

  /** Appends a node named after its first output. */
  op(
    opType: string,
    inputs: readonly ValueName[],
    outputs: readonly ValueName[],
    options: OpOptions = {},
  ): void {
    const { attributes = {}, microsoft = false } = options
    const name = `${outputs[0]!}/${opType}`
    this.nodes.push(
      makeNode(opType, name, inputs, outputs, { attributes, ...(microsoft && { domain: microsoftDomain }) }),
    )
  }

  constant(name: ValueName, tensor: Tensor): ValueName {
    this.initializers.set(name, tensor)
    return name
  }

  ints(values: readonly number[]): ValueName {
    return this.#shared(`ints_${values.join('_')}`, () => int64Tensor([values.length], values))
  }

  /** Scale and zero point of one tensor, as two inputs of a node. */
  params(params: AffineParams): readonly [ValueName, ValueName] {
    const { scale, zeroPoint } = params
    const scaleName = this.#shared(`scale_${scale}`, () => floatTensor([], [scale]))
    const signed = params.low < 0
    const zero = this.#shared(`zero_${signed ? 's8' : 'u8'}_${zeroPoint}`, () =>
      signed
        ? { type: 'int8', dims: [], data: Int8Array.of(zeroPoint) }
        : { type: 'uint8', dims: [], data: Uint8Array.of(zeroPoint) },
    )
    return [scaleName, zero]
  }

  #shared(name: string, make: () => Tensor): ValueName {
    const known = this.#scalars.get(name)
    if (known !== undefined) return known
    this.#scalars.set(name, name)
    return this.constant(name, make())
  }
}
