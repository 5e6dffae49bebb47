/**
 * Collects the nodes of a backward pass.
 * Invariant: names are fresh (`grad:` and a number), so they never meet those of the forward graph.
 */

import { intsAttribute } from '../../onnx/attributes.js'
import { type Attribute, makeNode, type Node, type ValueName } from '../../onnx/graph.js'
import { elementCount, floatTensor, int64Tensor, type Tensor } from '../../onnx/tensor.js'

type Attributes = Readonly<Record<string, Attribute>>

export class GradientWriter {
  readonly nodes: Node[] = []
  readonly initializers = new Map<ValueName, Tensor>()
  #count = 0

  /** Appends a node and returns its output. */
  op(opType: string, inputs: readonly ValueName[], attributes: Attributes = {}): ValueName {
    return this.ops(opType, inputs, 1, attributes)[0]!
  }

  /** Appends a node as `op` does, with `outputs` outputs, and returns their names. */
  ops(
    opType: string,
    inputs: readonly ValueName[],
    outputs: number,
    attributes: Attributes = {},
  ): readonly ValueName[] {
    const names = Array.from({ length: outputs }, () => this.#fresh(opType))
    this.nodes.push(makeNode(opType, names[0]!, inputs, names, { attributes }))
    return names
  }

  /** A constant of type int64 and shape `[values.length]`. */
  ints(values: readonly number[]): ValueName {
    const name = `grad:ints_${values.join('_')}`
    this.initializers.set(name, int64Tensor([values.length], values))
    return name
  }

  /** A constant of type float32 and shape `[]`. */
  float(value: number): ValueName {
    const name = `grad:float_${value}`
    this.initializers.set(name, floatTensor([], [value]))
    return name
  }

  zeros(dims: readonly number[]): ValueName {
    const name = `grad:zeros_${dims.join('_')}`
    this.initializers.set(name, floatTensor(dims, new Float32Array(elementCount(dims))))
    return name
  }

  reshape(value: ValueName, dims: readonly number[]): ValueName {
    return this.op('Reshape', [value, this.ints(dims)])
  }

  transpose(value: ValueName, perm: readonly number[]): ValueName {
    return this.op('Transpose', [value], { perm: intsAttribute(perm) })
  }

  /** Sum over `axes`, which stay with size 1. */
  sumOver(value: ValueName, axes: readonly number[]): ValueName {
    return axes.length === 0 ? value : this.op('ReduceSum', [value, this.ints(axes)])
  }

  /** Sums of one to many values of one shape, or of shapes that broadcast. */
  sum(values: readonly ValueName[]): ValueName {
    if (values.length === 1) return values[0]!
    return this.op(values.length === 2 ? 'Add' : 'Sum', values)
  }

  #fresh(opType: string): ValueName {
    return `grad:${this.#count++}_${opType}`
  }
}
