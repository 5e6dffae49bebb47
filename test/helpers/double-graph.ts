/**
 * Computes small graphs in double precision with plain loops: the reference for gradients.
 * Invariant: independent of ONNX Runtime and of the gradient rules; batch norm uses the statistics of the batch.
 */

import { floatOf, intOf, intsOf } from '../../src/onnx/attributes.js'
import type { Graph, Node } from '../../src/onnx/graph.js'

/** Row-major values in double precision. */
export interface DoubleTensor {
  readonly dims: readonly number[]
  readonly data: Float64Array
}

type Operator = (node: Node, inputs: readonly DoubleTensor[]) => readonly DoubleTensor[]

type Values = ReadonlyMap<string, DoubleTensor>

/** The outputs of `graph` for `feeds`, by name. */
export function runDouble(graph: Graph, feeds: Values): Values {
  return changeableDouble(graph, feeds)(new Map())
}

/**
 * Computes `graph` for `feeds` once, then its outputs, by name, with some of the feeds and initializers replaced:
 * only what depends on those is computed again.
 */
export function changeableDouble(graph: Graph, feeds: Values): (changes: Values) => Values {
  const unchanged = new Map<string, DoubleTensor>(feeds)
  for (const [name, { dims, data }] of graph.initializers) {
    if (!unchanged.has(name))
      unchanged.set(name, { dims, data: Float64Array.from(data as ArrayLike<number>, Number) })
  }
  for (const node of graph.nodes) compute(node, unchanged, unchanged)
  return (changes) => {
    const changed = new Map(changes)
    const value = { get: (name: string) => changed.get(name) ?? unchanged.get(name) }
    for (const node of graph.nodes) {
      if (node.inputs.some((name) => changed.has(name))) compute(node, value, changed)
    }
    return new Map(graph.outputs.map(({ name }) => [name, value.get(name)!]))
  }
}

/** Writes the outputs of `node` to `results`. */
function compute(node: Node, values: Pick<Values, 'get'>, results: Map<string, DoubleTensor>): void {
  const operator = operators[node.opType]
  if (operator === undefined) throw new Error(`no double reference for ${node.opType}`)
  const outputs = operator(
    node,
    node.inputs.map((name) => values.get(name) ?? empty),
  )
  outputs.forEach((output, index) => results.set(node.outputs[index]!, output))
}

const empty: DoubleTensor = { dims: [0], data: new Float64Array(0) }

function make(dims: readonly number[], at: (index: readonly number[]) => number): DoubleTensor {
  const data = new Float64Array(dims.reduce((product, dim) => product * dim, 1))
  const index = dims.map(() => 0)
  for (let flat = 0; flat < data.length; flat++) {
    data[flat] = at(index)
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index[axis]!++
      if (index[axis]! < dims[axis]!) break
      index[axis] = 0
    }
  }
  return { dims, data }
}

/** The element at `index`; axes of size 1 broadcast, leading axes may be missing, outside is 0. */
function element({ dims, data }: DoubleTensor, index: readonly number[]): number {
  let flat = 0
  const lead = index.length - dims.length
  for (const [axis, size] of dims.entries()) {
    const at = size === 1 ? 0 : index[lead + axis]!
    if (at < 0 || at >= size) return 0
    flat = flat * size + at
  }
  return data[flat]!
}

function binary(compute: (left: number, right: number) => number): Operator {
  return (_, [left, right]) => {
    if (left!.dims.join() === right!.dims.join())
      return [{ dims: left!.dims, data: left!.data.map((value, at) => compute(value, right!.data[at]!)) }]
    const rank = Math.max(left!.dims.length, right!.dims.length)
    const dims = Array.from({ length: rank }, (_, axis) =>
      Math.max(
        left!.dims[axis - rank + left!.dims.length] ?? 1,
        right!.dims[axis - rank + right!.dims.length] ?? 1,
      ),
    )
    return [make(dims, (index) => compute(element(left!, index), element(right!, index)))]
  }
}

function unary(compute: (value: number) => number): Operator {
  return (_, [x]) => [{ dims: x!.dims, data: x!.data.map(compute) }]
}

const convolve: Operator = (node, [x, w, b]) => {
  const [top = 0, left = 0, bottom = 0, right = 0] = intsOf(node, 'pads') ?? []
  const [down = 1, across = 1] = intsOf(node, 'strides') ?? []
  const [n, , h, wide] = x!.dims as [number, number, number, number]
  const [co, , kh, kw] = w!.dims as [number, number, number, number]
  const rows = Math.floor((h + top + bottom - kh) / down) + 1
  const columns = Math.floor((wide + left + right - kw) / across) + 1
  const data = new Float64Array(n * co * rows * columns)
  const length = w!.data.length / co
  const group = intOf(node, 'group', 1)
  const window = new Float64Array(length * group)
  for (let image = 0; image < n; image++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        gather(x!, { image, row: row * down - top, column: column * across - left, kh, kw }, window)
        for (let out = 0; out < co; out++) {
          const first = Math.floor((out * group) / co) * length
          const sum = dot(w!.data, out * length, window.subarray(first, first + length))
          data[((image * co + out) * rows + row) * columns + column] = sum + (b?.data[out] ?? 0)
        }
      }
  return [{ dims: [n, co, rows, columns], data }]
}

interface Window {
  readonly image: number
  readonly row: number
  readonly column: number
  readonly kh: number
  readonly kw: number
}

/** Writes what `x` holds from `row` and `column` on, all channels, to `values`: zero where that lies outside. */
function gather(x: DoubleTensor, { image, row, column, kh, kw }: Window, values: Float64Array): void {
  const [, channels, h, wide] = x.dims as [number, number, number, number]
  let at = 0
  for (let c = 0; c < channels; c++)
    for (let y = row; y < row + kh; y++) {
      const line = ((image * channels + c) * h + y) * wide
      for (let col = column; col < column + kw; col++)
        values[at++] = y < 0 || y >= h || col < 0 || col >= wide ? 0 : x.data[line + col]!
    }
}

/** The sum of `values` times as many of `weights` from `first` on, in two halves that do not wait for each other. */
function dot(weights: Float64Array, first: number, values: Float64Array): number {
  let [even, odd] = [0, 0]
  const last = values.length - 1
  for (let at = 0; at < last; at += 2) {
    even += weights[first + at]! * values[at]!
    odd += weights[first + at + 1]! * values[at + 1]!
  }
  if (last % 2 === 0) even += weights[first + last]! * values[last]!
  return even + odd
}

const convolveTransposed: Operator = (node, [x, w, b]) => {
  const [top = 0, left = 0, bottom = 0, right = 0] = intsOf(node, 'pads') ?? []
  const [down = 1, across = 1] = intsOf(node, 'strides') ?? []
  const [moreY = 0, moreX = 0] = intsOf(node, 'output_padding') ?? []
  const [n, ci, h, wide] = x!.dims as [number, number, number, number]
  const [, co, kh, kw] = w!.dims as [number, number, number, number]
  const dims = [
    n,
    co,
    (h - 1) * down + kh - top - bottom + moreY,
    (wide - 1) * across + kw - left - right + moreX,
  ]
  return [
    make(dims, ([image, out, y, column]) => {
      let sum = b === undefined ? 0 : b.data[out!]!
      for (let i = 0; i < kh; i++)
        for (let j = 0; j < kw; j++) {
          const [row, col] = [(y! + top - i) / down, (column! + left - j) / across]
          if (!Number.isInteger(row) || !Number.isInteger(col)) continue
          if (row < 0 || row >= h || col < 0 || col >= wide) continue
          for (let c = 0; c < ci; c++)
            sum += element(x!, [image!, c, row, col]) * element(w!, [c, out!, i, j])
        }
      return sum
    }),
  ]
}

const pool: Operator = (node, [x]) => {
  const [kh, kw] = intsOf(node, 'kernel_shape') as [number, number]
  const [top = 0, left = 0] = intsOf(node, 'pads') ?? []
  const [, , h, wide] = x!.dims as [number, number, number, number]
  return [
    make(x!.dims, ([image, c, y, column]) => {
      let largest = -Infinity
      for (let i = 0; i < kh; i++)
        for (let j = 0; j < kw; j++) {
          const [row, col] = [y! + i - top, column! + j - left]
          if (row < 0 || row >= h || col < 0 || col >= wide) continue
          largest = Math.max(largest, element(x!, [image!, c!, row, col]))
        }
      return largest
    }),
  ]
}

/** Means of windows with strides of 1 that count their padding as zeros. */
const poolMeans: Operator = (node, [x]) => {
  const [kh, kw] = intsOf(node, 'kernel_shape') as [number, number]
  const [top = 0, left = 0, bottom = 0, right = 0] = intsOf(node, 'pads') ?? []
  const [images, channels, h, wide] = x!.dims as [number, number, number, number]
  return [
    make(
      [images, channels, h + top + bottom - kh + 1, wide + left + right - kw + 1],
      ([image, c, y, column]) => {
        let sum = 0
        for (let i = 0; i < kh; i++)
          for (let j = 0; j < kw; j++) sum += element(x!, [image!, c!, y! + i - top, column! + j - left])
        return sum / (kh * kw)
      },
    ),
  ]
}

/** Sums over `axes`, which stay with size 1. */
function sumKept(x: DoubleTensor, axes: readonly number[]): DoubleTensor {
  const kept = x.dims.map((size, axis) => (axes.includes(axis) ? 1 : size))
  const sums = make(kept, () => 0)
  make(x.dims, (index) => {
    let flat = 0
    for (const [axis, size] of kept.entries()) flat = flat * size + (size === 1 ? 0 : index[axis]!)
    sums.data[flat]! += element(x, index)
    return 0
  })
  return sums
}

function reduce(isMean: boolean): Operator {
  return (node, [x, given]) => {
    const axes = (intsOf(node, 'axes') ?? [...given!.data]).map((axis) =>
      axis < 0 ? axis + x!.dims.length : axis,
    )
    const sums = sumKept(x!, axes)
    const terms = isMean ? x!.data.length / sums.data.length : 1
    const dims =
      intOf(node, 'keepdims', 1) === 1 ? sums.dims : x!.dims.filter((_, axis) => !axes.includes(axis))
    return [{ dims, data: sums.data.map((value) => value / terms) }]
  }
}

const normalize: Operator = (node, [x, gamma, beta]) => {
  const [n, channels] = x!.dims as [number, number]
  const cells = x!.data.length / (n * channels)
  const data = new Float64Array(x!.data.length)
  const epsilon = floatOf(node, 'epsilon', 1e-5)
  for (let c = 0; c < channels; c++) {
    let [sum, squares] = [0, 0]
    const each = (use: (at: number) => void): void => {
      for (let image = 0; image < n; image++) {
        const first = (image * channels + c) * cells
        for (let at = first; at < first + cells; at++) use(at)
      }
    }
    each((at) => (sum += x!.data[at]!))
    const mean = sum / (n * cells)
    each((at) => (squares += (x!.data[at]! - mean) ** 2))
    const factor = gamma!.data[c]! / Math.sqrt(squares / (n * cells) + epsilon)
    each((at) => (data[at] = (x!.data[at]! - mean) * factor + beta!.data[c]!))
  }
  return [{ dims: x!.dims, data }]
}

const slice: Operator = (_, [x, starts, ends, axes]) => {
  const from = x!.dims.map(() => 0)
  const dims = [...x!.dims]
  starts!.data.forEach((start, index) => {
    const axis = axes === undefined ? index : axes.data[index]!
    const size = x!.dims[axis]!
    const clamp = (at: number): number => Math.min(size, at < 0 ? at + size : at)
    from[axis] = clamp(start)
    dims[axis] = clamp(ends!.data[index]!) - from[axis]
  })
  return [
    make(dims, (index) =>
      element(
        x!,
        index.map((at, axis) => at + from[axis]!),
      ),
    ),
  ]
}

/** Numbers from one element of `axis` to the next, and how often the axis is walked through. */
function walk({ dims }: DoubleTensor, axis: number): { readonly step: number; readonly times: number } {
  const product = (some: readonly number[]): number => some.reduce((all, dim) => all * dim, 1)
  return { step: product(dims.slice(axis + 1)), times: product(dims.slice(0, axis)) }
}

function pieces(x: DoubleTensor, axis: number, sizes: readonly number[]): readonly DoubleTensor[] {
  const { step, times } = walk(x, axis)
  const whole = x.dims[axis]! * step
  let first = 0
  return sizes.map((size) => {
    const data = new Float64Array(times * size * step)
    for (let time = 0; time < times; time++) {
      const from = time * whole + first * step
      data.set(x.data.subarray(from, from + size * step), time * size * step)
    }
    first += size
    return { dims: x.dims.map((dim, at) => (at === axis ? size : dim)), data }
  })
}

function joined(parts: readonly DoubleTensor[], axis: number): DoubleTensor {
  const total = parts.reduce((sum, part) => sum + part.dims[axis]!, 0)
  const { step, times } = walk(parts[0]!, axis)
  const data = new Float64Array(times * total * step)
  let first = 0
  for (const { dims, data: own } of parts) {
    const length = dims[axis]! * step
    for (let time = 0; time < times; time++)
      data.set(own.subarray(time * length, (time + 1) * length), time * total * step + first)
    first += length
  }
  return { dims: parts[0]!.dims.map((dim, at) => (at === axis ? total : dim)), data }
}

const operators: Readonly<Record<string, Operator>> = {
  Add: binary((left, right) => left + right),
  Sub: binary((left, right) => left - right),
  Mul: binary((left, right) => left * right),
  Div: binary((left, right) => left / right),
  Neg: unary((value) => -value),
  Sqrt: unary((value) => Math.sqrt(value)),
  Relu: unary((value) => Math.max(0, value)),
  Sigmoid: unary((value) => 1 / (1 + Math.exp(-value))),
  Identity: unary((value) => value),
  // Straight through: what is differentiated is the value without its rounding.
  DequantizeLinear: (_, [x]) => [x!],
  QuantizeLinear: (_, [x, scale, zero]) => {
    const low = (-zero!.data[0]! - 0.5) * scale!.data[0]!
    const high = (255.5 - zero!.data[0]!) * scale!.data[0]!
    return [{ dims: x!.dims, data: x!.data.map((value) => Math.min(high, Math.max(low, value))) }]
  },
  Conv: convolve,
  ConvTranspose: convolveTransposed,
  MaxPool: pool,
  AveragePool: poolMeans,
  BatchNormalization: normalize,
  ReduceSum: reduce(false),
  ReduceMean: reduce(true),
  Slice: slice,
  Concat: (node, parts) => {
    const axis = intOf(node, 'axis', 0)
    return [joined(parts, axis < 0 ? axis + parts[0]!.dims.length : axis)]
  },
  Split: (node, [x, sizes]) => pieces(x!, intOf(node, 'axis', 0), intsOf(node, 'split') ?? [...sizes!.data]),
  Reshape: (_, [x, shape]) => {
    const known = [...shape!.data].map((dim, axis) => (dim === 0 ? x!.dims[axis]! : dim))
    const rest = x!.data.length / -known.reduce((product, dim) => product * dim, 1)
    return [{ dims: known.map((dim) => (dim === -1 ? rest : dim)), data: x!.data }]
  },
  Transpose: (node, [x]) => {
    const perm = intsOf(node, 'perm')!
    const dims = perm.map((axis) => x!.dims[axis]!)
    return [
      make(dims, (index) =>
        element(
          x!,
          x!.dims.map((_, axis) => index[perm.indexOf(axis)]!),
        ),
      ),
    ]
  },
  Resize: (_, [x, , scales]) => {
    const dims = x!.dims.map((size, axis) => size * scales!.data[axis]!)
    return [
      make(dims, (index) =>
        element(
          x!,
          index.map((at, axis) => Math.floor(at / scales!.data[axis]!)),
        ),
      ),
    ]
  },
  MatMul: (_, [a, b]) => {
    const [m, k, n] = [a!.dims.at(-2)!, a!.dims.at(-1)!, b!.dims.at(-1)!]
    const rank = Math.max(a!.dims.length, b!.dims.length)
    const lead = Array.from({ length: rank - 2 }, (_, axis) =>
      Math.max(a!.dims[axis - rank + a!.dims.length] ?? 1, b!.dims[axis - rank + b!.dims.length] ?? 1),
    )
    return [
      make([...lead, m, n], (index) => {
        const [row, column] = [index.at(-2)!, index.at(-1)!]
        let sum = 0
        for (let at = 0; at < k; at++)
          sum +=
            element(a!, [...index.slice(0, -2), row, at]) * element(b!, [...index.slice(0, -2), at, column])
        return sum
      }),
    ]
  },
  Softmax: (node, [x]) => {
    const axis = (intOf(node, 'axis', -1) + x!.dims.length) % x!.dims.length
    const exponentials = { dims: x!.dims, data: x!.data.map(Math.exp) }
    const sums = sumKept(exponentials, [axis])
    return [make(x!.dims, (index) => element(exponentials, index) / element(sums, index))]
  },
}
