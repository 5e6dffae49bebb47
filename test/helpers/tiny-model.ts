/**
 * Tiny ONNX models for tests, encoded by hand.
 * Invariant: independent of src/onnx, so that an error there cannot hide one in what reads the model.
 */

const FLOAT = 1

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  while (rest > 127) {
    bytes.push((rest & 127) | 128)
    rest = Math.floor(rest / 128)
  }
  return [...bytes, rest]
}

/** A protobuf field: a number as varint, anything else length-delimited. */
function field(number: number, value: number | string | readonly number[]): number[] {
  if (typeof value === 'number') return [...varint(number * 8), ...varint(value)]
  const bytes = typeof value === 'string' ? [...Buffer.from(value)] : value
  return [...varint(number * 8 + 2), ...varint(bytes.length), ...bytes]
}

function valueInfo(name: string, dims: readonly number[], elementType = FLOAT): number[] {
  const shape = dims.flatMap((dim) => field(1, field(1, dim)))
  return [...field(1, name), ...field(2, field(1, [...field(1, elementType), ...field(2, shape)]))]
}

export interface TinyNode {
  readonly opType: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Integer lists and integers by name. */
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>
}

export interface TinyValue {
  readonly name: string
  readonly dims: readonly number[]
  /** ONNX's number of the element type; float32 by default. */
  readonly elementType?: number
}

export interface TinyGraph {
  readonly nodes: readonly TinyNode[]
  readonly inputs: readonly TinyValue[]
  readonly outputs: readonly TinyValue[]
  /** Constant float32 tensors. */
  readonly constants?: readonly {
    readonly name: string
    readonly dims: readonly number[]
    readonly data: readonly number[]
  }[]
}

function attribute([name, value]: [string, number | readonly number[]]): number[] {
  return typeof value === 'number'
    ? field(5, [...field(1, name), ...field(3, value), ...field(20, 2)])
    : field(5, [
        ...field(1, name),
        ...field(
          8,
          value.flatMap((item) => varint(item)),
        ),
        ...field(20, 7),
      ])
}

/** The bytes of an ONNX model (opset 17) with the graph `graph`. */
export function tinyModel(graph: TinyGraph): Uint8Array {
  const nodes = graph.nodes.flatMap((node) =>
    field(1, [
      ...node.inputs.flatMap((input) => field(1, input)),
      ...node.outputs.flatMap((output) => field(2, output)),
      ...field(4, node.opType),
      ...Object.entries(node.attributes ?? {}).flatMap(attribute),
    ]),
  )
  const constants = (graph.constants ?? []).flatMap(({ name, dims, data }) =>
    field(5, [
      ...dims.flatMap((dim) => field(1, dim)),
      ...field(2, FLOAT),
      ...field(8, name),
      ...field(9, [...new Uint8Array(Float32Array.from(data).buffer)]),
    ]),
  )
  const encoded = [
    ...nodes,
    ...field(2, 'tiny'),
    ...constants,
    ...graph.inputs.flatMap(({ name, dims, elementType }) => field(11, valueInfo(name, dims, elementType))),
    ...graph.outputs.flatMap(({ name, dims, elementType }) => field(12, valueInfo(name, dims, elementType))),
  ]
  return Uint8Array.from([...field(1, 8), ...field(7, encoded), ...field(8, field(2, 17))])
}

/** `out = x opType y`, all float32 of shape `dims`. */
export function elementwiseModel(opType: 'Add' | 'Mul' | 'Div', dims: readonly number[]): Uint8Array {
  return tinyModel({
    nodes: [{ opType, inputs: ['x', 'y'], outputs: ['out'] }],
    inputs: [
      { name: 'x', dims },
      { name: 'y', dims },
    ],
    outputs: [{ name: 'out', dims }],
  })
}
