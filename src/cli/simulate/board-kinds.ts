/** The boards that simulated devices say they are. Invariant: figures are plausible for the board, and nothing is measured. */

/** One kind of machine, as a device describes itself. */
export interface BoardKind {
  /** Board and chip as the firmware names them. */
  readonly board: string
  readonly chip: string
  readonly arch: 'arm64' | 'x64'
  readonly cores: number
  readonly memoryGiB: number
  /** The execution provider that serves. */
  readonly provider: 'cpu' | 'tensorrt'
  /** What a variant made for this board is usually called. */
  readonly variant: string
  /** Median inference time of a frame, and the temperature at work. */
  readonly latencyMs: number
  readonly temperatureC: number
}

/** A mixed fleet. */
export const boardKinds: readonly BoardKind[] = [
  {
    board: 'Raspberry Pi 5 Model B Rev 1.0',
    chip: 'BCM2712',
    arch: 'arm64',
    cores: 4,
    memoryGiB: 8,
    provider: 'cpu',
    variant: 'int8-arm64',
    latencyMs: 74,
    temperatureC: 61,
  },
  {
    board: 'NVIDIA Jetson Orin Nano Developer Kit',
    chip: 'T234',
    arch: 'arm64',
    cores: 6,
    memoryGiB: 8,
    provider: 'tensorrt',
    variant: 'fp16',
    latencyMs: 9,
    temperatureC: 52,
  },
  {
    board: 'Raspberry Pi 4 Model B Rev 1.4',
    chip: 'BCM2711',
    arch: 'arm64',
    cores: 4,
    memoryGiB: 4,
    provider: 'cpu',
    variant: 'int8-pruned-arm64',
    latencyMs: 142,
    temperatureC: 66,
  },
  {
    board: 'Intel NUC 11',
    chip: 'Core i5-1135G7',
    arch: 'x64',
    cores: 8,
    memoryGiB: 16,
    provider: 'cpu',
    variant: 'int8-x64-vnni',
    latencyMs: 21,
    temperatureC: 48,
  },
]
