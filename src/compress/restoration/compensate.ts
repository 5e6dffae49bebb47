/**
 * Closed-form compensation on the unpruned graph: the weights with which the kept inputs of a convolution answer most
 * like all inputs did. With the moments M = E[x x^T] and y = W x they minimise (W - V) M (W - V)^T + lambda |W - V|^2
 * over all V that are zero at the removed places.
 */

import type { ConstantProduct } from './constant-product.js'
import type { Matrix } from './matrix-products.js'

/** Steps of conjugate gradients; more do not change a pruning decision. */
const steps = 16

/**
 * The compensated weights [outputs, unknowns], zero at the removed places.
 * @param weights the present weights, bias last
 * @param product with the moments of the unknowns; @param diagonal of these moments
 * @param kept flags: 1 where an unknown stays
 */
export async function compensate(
  weights: Matrix,
  product: ConstantProduct,
  { diagonal, kept, ridge }: { diagonal: Float64Array; kept: Uint8Array; ridge: number },
): Promise<Float32Array> {
  const { rows: outputs, columns: n } = weights
  const result = weights.data.map((weight, at) => (kept[at % n] === 1 ? weight : 0))
  const missing = { ...weights, data: weights.data.map((weight, at) => weight - result[at]!) }
  // What the kept unknowns should take over: the gradient of the error.
  const gradient = await product.times(missing)
  const direction = new Float32Array(result.length)
  const stiffness = diagonal.map((value) => (1 + ridge) * value + 1e-12)
  const slope = new Float64Array(outputs)
  for (let step = 0; step < steps; step++) {
    for (let output = 0; output < outputs; output++) turn(output)
    const ahead = await product.times({ rows: outputs, columns: n, data: direction })
    for (let output = 0; output < outputs; output++) move(output, ahead)
  }
  return result

  function turn(output: number): void {
    let next = 0
    for (let at = 0; at < n; at++)
      if (kept[at] === 1) next += gradient[output * n + at]! ** 2 / stiffness[at]!
    const keep = slope[output]! > 0 ? next / slope[output]! : 0
    slope[output] = next
    for (let at = 0; at < n; at++) {
      if (kept[at] !== 1) continue
      const index = output * n + at
      direction[index] = gradient[index]! / stiffness[at]! + keep * direction[index]!
    }
  }

  function move(output: number, ahead: Float32Array): void {
    let curvature = 0
    for (let at = 0; at < n; at++) {
      const along = direction[output * n + at]!
      curvature += along * (ahead[output * n + at]! + ridge * diagonal[at]! * along)
    }
    if (!(curvature > 0)) return
    const length = slope[output]! / curvature
    for (let at = 0; at < n; at++) {
      const index = output * n + at
      result[index]! += length * direction[index]!
      gradient[index]! -= length * (ahead[index]! + ridge * diagonal[at]! * direction[index]!)
    }
  }
}
