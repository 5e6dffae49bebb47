/**
 * Typed reads and shorthand for attributes.
 * Invariant: an attribute of another kind than the operator's definition throws `model.graph_invalid` naming the node.
 */

import { AgentError } from '../base/errors.js'
import type { Attribute, Node } from './graph.js'
import type { Tensor } from './tensor.js'

type Kind = Attribute['kind']
type ValueOf<K extends Kind> = K extends 'opaque'
  ? never
  : Extract<Attribute, { kind: K; value: unknown }>['value']

function read<K extends Exclude<Kind, 'opaque'>>(node: Node, name: string, kind: K): ValueOf<K> | undefined {
  const attribute = node.attributes.get(name)
  if (attribute === undefined) return undefined
  if (attribute.kind !== kind) {
    throw new AgentError(
      'model.graph_invalid',
      `attribute ${name} of node ${node.name} (${node.opType}) is of kind ${attribute.kind}, expected ${kind}`,
    )
  }
  return attribute.value as ValueOf<K>
}

/** Integer attribute `name`, or `missing` where the node has none. */
export function intOf(node: Node, name: string, missing: number): number {
  return read(node, name, 'int') ?? missing
}

/** Float attribute `name`, or `missing` where the node has none. */
export function floatOf(node: Node, name: string, missing: number): number {
  return read(node, name, 'float') ?? missing
}

/** String attribute `name`, or `missing` where the node has none. */
export function stringOf(node: Node, name: string, missing: string): string {
  return read(node, name, 'string') ?? missing
}

/** Integer list `name`; undefined where the node has none. */
export function intsOf(node: Node, name: string): readonly number[] | undefined {
  return read(node, name, 'ints')
}

/** Float list `name`; undefined where the node has none. */
export function floatsOf(node: Node, name: string): readonly number[] | undefined {
  return read(node, name, 'floats')
}

/** Tensor attribute `name`; undefined where the node has none. */
export function tensorOf(node: Node, name: string): Tensor | undefined {
  return read(node, name, 'tensor')
}

export function intAttribute(value: number): Attribute {
  return { kind: 'int', value }
}

export function floatAttribute(value: number): Attribute {
  return { kind: 'float', value }
}

export function intsAttribute(value: readonly number[]): Attribute {
  return { kind: 'ints', value }
}

/** The attributes of `node` without those in `names`. */
export function withoutAttributes(node: Node, ...names: readonly string[]): ReadonlyMap<string, Attribute> {
  return new Map([...node.attributes].filter(([name]) => !names.includes(name)))
}
