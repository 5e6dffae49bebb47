/**
 * What stock operators make of every byte: they are asked, not imitated.
 * Invariant: a table holds exactly what this library of ONNX Runtime computes here.
 */

import { Tensor } from 'onnxruntime-node'
import { exportModel } from '../../../onnx/export-model.js'
import type { Graph, ValueName } from '../../../onnx/graph.js'
import type { BackendSession } from '../../backend.js'
import type { ByteSilu } from './byte-operators.js'

/** The tables of `silus` of `graph`, 256 bytes each; `open` opens a model, `run` runs it at once. */
export async function siluTables(
  graph: Graph,
  silus: readonly ByteSilu[],
  open: (bytes: Uint8Array) => BackendSession,
): Promise<readonly Uint8Array[]> {
  if (silus.length === 0) return []
  const session = open(exportModel(onEveryByte(graph, silus)))
  try {
    const every = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    const fetches = Object.fromEntries(silus.map(({ output }) => [output, null]))
    const results = await session.run({ [inputName]: new Tensor('uint8', every, [256]) }, fetches)
    return silus.map(({ output }) => (results[output]!.data as Uint8Array).slice())
  } finally {
    await session.release()
  }
}

const inputName = 'every_byte'

/** Every SiLU on one input. */
function onEveryByte(graph: Graph, silus: readonly ByteSilu[]): Graph {
  const inputs = new Set<ValueName>(silus.map(({ input }) => input))
  const nodes = silus.flatMap(({ sigmoid, product }) =>
    [sigmoid, product].map((node) => ({
      ...node,
      inputs: node.inputs.map((name) => (inputs.has(name) ? inputName : name)),
    })),
  )
  const read = new Set(nodes.flatMap((node) => node.inputs))
  return {
    ...graph,
    name: 'tables',
    carried: undefined,
    metadata: new Map(),
    inputs: [{ name: inputName, type: 'uint8', shape: [256] }],
    outputs: silus.map(({ output }) => ({ name: output, type: 'uint8', shape: [256] })),
    nodes,
    initializers: new Map([...graph.initializers].filter(([name]) => read.has(name))),
  }
}
