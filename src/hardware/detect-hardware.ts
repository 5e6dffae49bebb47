/**
 * What this machine is.
 * Invariant: everything is read below one root, so that the tree of a board is a fixture; an unknown machine is described, not
 * refused.
 */

import { type Accelerator, readAccelerators } from './accelerators.js'
import { type Board, readBoard } from './board.js'
import { type MachineCondition, readCondition } from './condition.js'
import { type Cpu, readCpu } from './cpu.js'
import { type MachineFiles, machineFiles } from './machine-files.js'

export interface HardwareProfile {
  readonly board: Board
  readonly cpu: Cpu
  readonly accelerators: readonly Accelerator[]
  readonly condition: MachineCondition
  /** The operating system as it names itself. */
  readonly os: string
  /** `arm64`, `x64`, as Node names them. */
  readonly arch: string
  /** int8 layouts whose kernels this CPU computes fast or right, best first. */
  readonly int8Targets: readonly string[]
}

export interface DetectOptions {
  /** Instead of the machine itself. */
  readonly root?: string
  readonly arch?: string
}

export async function detectHardware(options: DetectOptions = {}): Promise<HardwareProfile> {
  const { root = '/', arch = process.arch } = options
  const files = machineFiles(root)
  const cpu = await readCpu(files)
  return {
    board: await readBoard(files),
    cpu,
    accelerators: await readAccelerators(files),
    condition: await readCondition(files),
    os: await readOs(files),
    arch,
    int8Targets: int8TargetsOf(arch, cpu.features),
  }
}

/**
 * x86-64 without VNNI adds pairs of u8 x s8 products in 16 bits, which saturates: there only 7-bit weights are right.
 * With VNNI both layouts are right. Arm has no such limit.
 */
function int8TargetsOf(arch: string, features: readonly string[]): readonly string[] {
  if (arch === 'arm64') return ['arm64']
  if (arch !== 'x64') return []
  const hasVnni = ['avx512_vnni', 'avx_vnni', 'amx_int8'].some((name) => features.includes(name))
  return hasVnni ? ['x64-vnni', 'x64'] : ['x64']
}

async function readOs(files: MachineFiles): Promise<string> {
  const release = (await files.read('etc/os-release')) ?? (await files.read('usr/lib/os-release')) ?? ''
  return /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(release)?.[1] ?? 'Linux'
}
