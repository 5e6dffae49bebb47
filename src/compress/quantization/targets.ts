/**
 * The kinds of hardware an int8 model is made for, and what differs between them.
 * Invariant: everything that depends on the target is a column of this table.
 */

import { AgentError } from '../../base/errors.js'
import { activationS8, activationU8, type AffineFormat } from './affine.js'
import { type QuantizationRules, integerRules, tensorrtRules } from './rules.js'

export interface Int8Target {
  readonly name: string
  /** The machines that it is made for, in words. */
  readonly machines: string
  /**
   * `integer`: ONNX Runtime's own integer operators in channels-last layout, which leave nothing to guess.
   * `qdq`: float operators between QuantizeLinear and DequantizeLinear, which every runtime understands.
   */
  readonly form: 'integer' | 'qdq'
  readonly activations: AffineFormat
  /** 7 where two u8 x s8 products are added in 16 bits with saturation (x86 without VNNI). */
  readonly weightBits: number
  /** Whether biases are int32; TensorRT wants them in float. */
  readonly integerBias: boolean
  readonly rules: QuantizationRules
  /** Execution providers that compute in this form; none: whatever the device has. Others would leave the integers to the CPU. */
  readonly providers: readonly string[]
  /**
   * Instructions without which the file computes something else, or nothing; where one of several is enough, they stand in one
   * entry with `|` between them.
   */
  readonly cpuNeeds: readonly string[]
  /** Instructions, one of which makes the file fast. */
  readonly cpuPrefers: readonly string[]
}

const unsigned = { activations: activationU8, integerBias: true, rules: integerRules } as const
const cpu = { form: 'integer', ...unsigned, providers: ['cpu'], cpuNeeds: [], cpuPrefers: [] } as const

export const int8Targets = {
  /** x86-64 with AVX512-VNNI or AVX-VNNI: unsigned activations, signed 8-bit weights. */
  'x64-vnni': {
    name: 'x64-vnni',
    machines: 'x86-64 with VNNI',
    ...cpu,
    weightBits: 8,
    // Elsewhere the sums of products of 8-bit weights saturate in 16 bits.
    cpuNeeds: ['avx512_vnni|avx_vnni'],
  },
  /** x86-64 with AVX2 or AVX-512 only. */
  x64: { name: 'x64', machines: 'x86-64 without VNNI', ...cpu, weightBits: 7 },
  /** 64-bit ARM; fast from the dot product instructions on (Raspberry Pi 5, Jetson Orin). */
  arm64: {
    name: 'arm64',
    machines: 'Raspberry Pi, Jetson and other 64-bit ARM',
    ...cpu,
    weightBits: 8,
    cpuPrefers: ['asimddp'],
  },
  /** The same integers as `x64-vnni` in portable form, for runtimes other than ONNX Runtime. */
  qdq: {
    name: 'qdq',
    machines: 'runtimes other than ONNX Runtime',
    form: 'qdq',
    ...unsigned,
    weightBits: 8,
    providers: [],
    cpuNeeds: [],
    cpuPrefers: [],
  },
  /** NVIDIA TensorRT: symmetric signed activations; SiLU stays with its convolution, which TensorRT fuses. */
  tensorrt: {
    name: 'tensorrt',
    machines: 'NVIDIA GPUs with TensorRT',
    form: 'qdq',
    activations: activationS8,
    weightBits: 8,
    integerBias: false,
    rules: tensorrtRules,
    providers: ['tensorrt'],
    cpuNeeds: [],
    cpuPrefers: [],
  },
} as const satisfies Readonly<Record<string, Int8Target>>

export type Int8TargetName = keyof typeof int8Targets

/** What a fleet of different machines needs: a file for every processor that computes on 8-bit integers. */
export const fleetTargets: readonly Int8TargetName[] = ['x64-vnni', 'x64', 'arm64']

export function isInt8Target(name: string | undefined): name is Int8TargetName {
  return name !== undefined && Object.hasOwn(int8Targets, name)
}

/** The row of `name`. Throws `compress.plan_invalid`. */
export function int8Target(name: string): Int8Target {
  if (isInt8Target(name)) return int8Targets[name]
  throw new AgentError(
    'compress.plan_invalid',
    `int8 target ${JSON.stringify(name)} is unknown, expected one of ${Object.keys(int8Targets).join(', ')}`,
  )
}
