/**
 * What the update service has to know of a machine to tell which variants can run on it.
 * Invariant: pure; a kind, a provider or a runner is listed only when it was proven by opening it.
 */

import { int8TargetsOf as targetsOfCpu } from '../../hardware/cpu.js'
import type { HardwareProfile } from '../../hardware/hardware-profile.js'
import type { DeviceInfo } from '../../protocol/info.js'
import type { DeviceProfile } from '../../update/ports.js'

/** What loads artefacts of another kind than ONNX. */
export interface RunnerSoftware {
  /** Of artefacts: `hef`, `rknn`, `engine`. */
  readonly kind: string
  /** The software behind it, and its version: `hailort`, `4.20.0`. */
  readonly runtime: string
  readonly version: string
  /** The accelerator that it says it found. */
  readonly chip?: string
}

/** A runner command that answered. */
export interface ProvenRunner extends RunnerSoftware {
  /** A program and its arguments. */
  readonly command: readonly string[]
}

export interface ProvenSoftware {
  /** Execution providers that computed right, best first. */
  readonly providers: readonly string[]
  readonly runners: readonly RunnerSoftware[]
}

/** Of blobs: what the store unpacks. */
const encodings = ['none', 'br', 'gzip'] as const

/** Joins what the machine is with what was proven to work on it. */
export function deviceProfileOf(hardware: HardwareProfile, software: ProvenSoftware): DeviceProfile {
  const { cpu, board, condition, accelerators, platformRuntimes } = hardware
  const { providers, runners } = software
  return {
    kinds: [...(providers.length === 0 ? [] : ['onnx']), ...runners.map(({ kind }) => kind)],
    providers,
    cpuFeatures: cpu.features,
    int8Targets: int8TargetsOf(hardware.int8Targets, providers),
    encodings,
    memoryBytes: condition.memoryAvailableBytes,
    chips: [
      ...(board.chip === undefined ? [] : [board.chip]),
      ...accelerators.map(({ name }) => plain(name)),
      ...runners.flatMap(({ chip }) => chip ?? []),
    ],
    platformRuntimes: {
      ...platformRuntimes,
      ...Object.fromEntries(runners.map(({ runtime, version }) => [runtime, version])),
    },
  }
}

/**
 * The same of a machine that is known by what it said of itself. Its memory is all that it has, and its runners are not told:
 * a variant that this profile takes may still find too little memory free.
 */
export function deviceProfileOfInfo(info: DeviceInfo): DeviceProfile {
  const providers = info.providers.filter(({ works }) => works).map(({ name }) => name)
  return {
    kinds: providers.length === 0 ? [] : ['onnx'],
    providers,
    cpuFeatures: info.cpuFeatures,
    int8Targets: int8TargetsOf(targetsOfCpu(info.arch, info.cpuFeatures), providers),
    encodings,
    memoryBytes: info.memoryBytes,
    chips: [
      ...(info.chip === undefined ? [] : [info.chip]),
      ...info.accelerators.map(({ name }) => plain(name)),
    ],
    platformRuntimes: {},
  }
}

/** The portable form computes right wherever 8-bit weights do; TensorRT has a layout of its own. */
function int8TargetsOf(ofCpu: readonly string[], providers: readonly string[]): readonly string[] {
  const takesEightBits = ofCpu.some((target) => target === 'x64-vnni' || target === 'arm64')
  return [
    ...(providers.includes('tensorrt') ? ['tensorrt'] : []),
    ...ofCpu,
    ...(takesEightBits ? ['qdq'] : []),
  ]
}

/** `Hailo-8` is `hailo8` wherever files and libraries are named after it. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
}
