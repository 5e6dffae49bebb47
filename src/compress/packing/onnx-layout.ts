/**
 * Where the constants lie in an ONNX file: found by walking the protobuf fields, without decoding anything.
 * Invariant: ranges are in rising order and do not overlap; an unknown field is stepped over; a file that is not
 * ONNX gives no ranges.
 */

/** The raw bytes of one constant. */
export interface ConstantRange {
  readonly start: number
  readonly end: number
  readonly elementBytes: number
  /** Elements of a kernel slice: the product of the dimensions after the second. */
  readonly slice: number
}

// Field numbers of onnx.proto: ModelProto.graph, GraphProto.initializer, TensorProto.{dims, data_type, raw_data}.
const graphField = 7
const initializerField = 5
const dimsField = 1
const dataTypeField = 2
const rawDataField = 9

/** Element size by TensorProto.DataType. */
const sizes: Readonly<Record<number, number>> = {
  1: 4,
  2: 1,
  3: 1,
  4: 2,
  5: 2,
  6: 4,
  7: 8,
  9: 1,
  10: 2,
  11: 8,
  12: 4,
  13: 8,
  16: 2,
}

interface Field {
  readonly number: number
  /** Value of a varint field; 0 otherwise. */
  readonly value: number
  /** Content of a length-delimited field. */
  readonly start: number
  readonly end: number
}

/** The raw constants of the main graph. */
export function findConstants(file: Uint8Array): readonly ConstantRange[] {
  const ranges: ConstantRange[] = []
  for (const model of fields(file, 0, file.length)) {
    if (model.number !== graphField) continue
    for (const graph of fields(file, model.start, model.end)) {
      if (graph.number !== initializerField) continue
      const range = constantOf(file, graph)
      if (range !== undefined) ranges.push(range)
    }
  }
  return ranges
}

function constantOf(file: Uint8Array, tensor: Field): ConstantRange | undefined {
  const dims: number[] = []
  let elementBytes = 1
  let raw: Field | undefined
  for (const field of fields(file, tensor.start, tensor.end)) {
    if (field.number === dataTypeField) elementBytes = sizes[field.value] ?? 1
    else if (field.number === rawDataField) raw = field
    else if (field.number === dimsField) {
      if (field.end > field.start) dims.push(...packedVarints(file, field))
      else dims.push(field.value)
    }
  }
  if (raw === undefined || (raw.end - raw.start) % elementBytes !== 0) return undefined
  const slice = dims.slice(2).reduce((product, dim) => product * dim, 1)
  return { start: raw.start, end: raw.end, elementBytes, slice: slice > 0 && slice <= 4096 ? slice : 1 }
}

function packedVarints(file: Uint8Array, field: Field): number[] {
  const values: number[] = []
  for (let at = field.start; at < field.end;) {
    const [value, next] = varint(file, at)
    values.push(value)
    at = next
  }
  return values
}

/** The fields of a message; ends early where the bytes are no message. */
function* fields(file: Uint8Array, start: number, end: number): Generator<Field> {
  let at = start
  while (at < end) {
    const [tag, afterTag] = varint(file, at)
    const number = Math.floor(tag / 8)
    const wire = tag % 8
    if (wire === 0) {
      const [value, next] = varint(file, afterTag)
      yield { number, value, start: next, end: next }
      at = next
    } else if (wire === 2) {
      const [length, content] = varint(file, afterTag)
      if (content + length > end) return
      yield { number, value: 0, start: content, end: content + length }
      at = content + length
    } else if (wire === 1 || wire === 5) at = afterTag + (wire === 1 ? 8 : 4)
    else return
  }
}

function varint(file: Uint8Array, start: number): [value: number, next: number] {
  let value = 0
  let scale = 1
  let at = start
  for (; at < file.length && at < start + 10; at++) {
    const byte = file[at]!
    value += (byte & 127) * scale
    scale *= 128
    if (byte < 128) break
  }
  return [value, at + 1]
}
