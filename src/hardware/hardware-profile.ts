/**
 * What a machine is, in plain data.
 * Invariant: every field was read from the machine; what could not be read is absent or empty, never guessed.
 */

export interface CpuProfile {
  /** `Cortex-A76`, `AMD EPYC`, or `unknown`; several kinds of cores are joined by ` + `. */
  readonly model: string
  /** How many logical processors the system counts. */
  readonly cores: number
  /** The instructions of {@link inferenceFeatures} that every core has, as /proc/cpuinfo names them. */
  readonly features: readonly string[]
}

export interface Board {
  /** The board as its firmware names it, such as `Raspberry Pi 5 Model B Rev 1.0`. */
  readonly name: string
  readonly family: BoardFamily
  /** The SoC by its vendor's short name: `bcm2712`, `t234`, `rk3588`, `imx8mp`; absent on PCs. */
  readonly chip?: string
  /** The vendor's software release: `JetPack 6.2 (L4T 36.4.3)`. */
  readonly platformRelease?: string
}

export interface MemoryState {
  /** Memory of the machine, or the limit of the control group that the program runs in where that is less. */
  readonly memoryTotalBytes: number
  /** How much the program may take at this moment without anything being swapped out. */
  readonly memoryAvailableBytes: number
  /** The control group's limit, where it has one. */
  readonly memoryLimitBytes?: number
}

export interface Accelerator {
  readonly kind: 'gpu' | 'npu' | 'dla'
  readonly name: string
  /** The file or device that proves it. */
  readonly evidence: string
}

export interface VideoDecoder {
  readonly name: string
  readonly evidence: string
}

export interface ThermalState {
  /** The hottest zone, degrees Celsius. */
  readonly temperatureC?: number
  /** Slowed down because of heat or power, now. Absent where the machine does not tell. */
  readonly throttled?: boolean
  /** `under-voltage`, `frequency capped`, ...: now, or since the start of the machine. */
  readonly throttleReasons: readonly string[]
}

/** What changes about a machine while it runs: memory, heat, power mode. */
export interface MachineCondition extends MemoryState, ThermalState {
  /** `MAXN`, `15W` of a Jetson; `governor ondemand` elsewhere. */
  readonly powerMode?: string
}

export type BoardFamily = 'raspberry-pi' | 'jetson' | 'rockchip' | 'nxp' | 'pc' | 'other'

export interface HardwareProfile {
  readonly board: Board
  readonly cpu: CpuProfile
  readonly accelerators: readonly Accelerator[]
  readonly videoDecoders: readonly VideoDecoder[]
  readonly condition: MachineCondition
  /** The names of the distribution and of the kernel, with their versions. */
  readonly os: string
  /** `x64`, `arm64`, `arm`, as Node.js names them. */
  readonly arch: string
  /** int8 layouts whose kernels this CPU computes fast and right, best first. */
  readonly int8Targets: readonly string[]
  /** Software for models that are not ONNX: name to version. */
  readonly platformRuntimes: Readonly<Record<string, string>>
}
