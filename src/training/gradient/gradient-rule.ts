/** What a gradient rule sees of a node, and what it answers. */

import type { Node, ValueName } from '../../onnx/graph.js'
import type { Tensor } from '../../onnx/tensor.js'
import type { GradientWriter } from './gradient-writer.js'

/** The gradient of the loss with respect to a value. */
export interface Gradient {
  readonly name: ValueName
  /** The shape of the gradient: that of the value itself, or one that broadcasts to it. */
  readonly shape: readonly number[]
}

export interface GradientContext {
  readonly node: Node
  readonly writer: GradientWriter
  /** Whether the gradient with respect to input `index` is wanted. */
  needs(index: number): boolean
  shapeOf(value: ValueName): readonly number[]
  /** A value that is the same in every run; undefined for others. */
  constantOf(value: ValueName): Tensor | undefined
  /** The gradient with respect to output `index`, in the shape of the output; undefined where nothing depends on it. */
  gradient(index?: number): ValueName | undefined
  /** The same gradient for rules that can do with a shape that broadcasts to that of the output. */
  looseGradient(index?: number): Gradient | undefined
  producerOf(value: ValueName): Node | undefined
}

/** The gradients by input index; undefined where there is none or none was wanted. */
export type InputGradients = readonly (Gradient | ValueName | undefined)[]

/** Writes the backward nodes of one operator (its vector-Jacobian product). */
export type GradientRule = (context: GradientContext) => InputGradients
