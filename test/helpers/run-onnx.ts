/** Runs encoded models in ONNX Runtime directly, for comparing graphs. Invariant: a session never outlives the call. */

import '../../src/runtime/telemetry-off.js'
import * as ort from 'onnxruntime-node'
import type { Tensor } from '../../src/onnx/tensor.js'

/** A tensor as ONNX Runtime gives it back. */
export interface RunResult {
  readonly type: string
  readonly dims: readonly number[]
  readonly data: ArrayLike<number> | BigInt64Array
}

/** Runs `model` once on the CPU with one thread; `optimise` false runs the graph as it is written. */
export async function runOnnx(
  model: Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
  options: { readonly optimise?: boolean } = {},
): Promise<ReadonlyMap<string, RunResult>> {
  const session = await ort.InferenceSession.create(model, {
    intraOpNumThreads: 1,
    graphOptimizationLevel: (options.optimise ?? true) ? 'all' : 'disabled',
    logSeverityLevel: 3,
  })
  try {
    const fed = Object.entries(feeds).map(([name, tensor]): [string, ort.Tensor] => [
      name,
      new ort.Tensor(tensor.type, tensor.data as never, tensor.dims),
    ])
    const fetched = await session.run(Object.fromEntries(fed))
    return new Map(
      Object.entries(fetched).map(([name, value]) => [
        name,
        { type: value.type, dims: value.dims, data: value.data as Float32Array },
      ]),
    )
  } finally {
    await session.release()
  }
}

/** The largest absolute difference of two results of equal dims; Infinity where the dims differ or a value is NaN. */
export function maxDifference(left: RunResult | undefined, right: RunResult | undefined): number {
  if (left === undefined || right === undefined) return Infinity
  if (left.dims.join() !== right.dims.join() || left.type !== right.type) return Infinity
  let largest = 0
  for (let index = 0; index < left.data.length; index++) {
    const difference = Math.abs(Number(left.data[index]) - Number(right.data[index]))
    if (Number.isNaN(difference)) return Infinity
    largest = Math.max(largest, difference)
  }
  return largest
}
