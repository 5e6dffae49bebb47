/**
 * The processor, from /proc/cpuinfo.
 * Invariant: a feature counts only when every core has it: a thread may run on any of them.
 */

import type { CpuProfile } from './hardware-profile.js'
import type { MachineFiles } from './machine-files.js'

/** Features that change which kernels an inference library takes, by the names of /proc/cpuinfo. */
const inferenceFeatures = [
  // arm64: vectors, half floats, 8-bit dot products (ARMv8.2), 8-bit matrix products and bfloat16 (ARMv8.6).
  'asimd',
  'asimdhp',
  'asimddp',
  'i8mm',
  'bf16',
  'sve',
  'sve2',
  // x86-64: vectors, fused multiply-add, 8-bit dot products (VNNI), matrix tiles (AMX).
  'sse4_1',
  'sse4_2',
  'avx',
  'f16c',
  'fma',
  'avx2',
  'avx512f',
  'avx512bw',
  'avx512dq',
  'avx512vl',
  'avx512_vnni',
  'avx_vnni',
  'avx_vnni_int8',
  'avx512_bf16',
  'avx512_fp16',
  'amx_tile',
  'amx_int8',
  'amx_bf16',
]

/** Implementer and part (MIDR_EL1) of the cores found on boards; the names are those of the vendors' manuals. */
const armCores: Readonly<Record<string, string>> = {
  '0x41:0xd03': 'Cortex-A53',
  '0x41:0xd04': 'Cortex-A35',
  '0x41:0xd05': 'Cortex-A55',
  '0x41:0xd07': 'Cortex-A57',
  '0x41:0xd08': 'Cortex-A72',
  '0x41:0xd09': 'Cortex-A73',
  '0x41:0xd0a': 'Cortex-A75',
  '0x41:0xd0b': 'Cortex-A76',
  '0x41:0xd0c': 'Neoverse-N1',
  '0x41:0xd40': 'Neoverse-V1',
  '0x41:0xd41': 'Cortex-A78',
  '0x41:0xd42': 'Cortex-A78AE',
  '0x41:0xd46': 'Cortex-A510',
  '0x41:0xd47': 'Cortex-A710',
  '0x41:0xd49': 'Neoverse-N2',
  '0x41:0xd4f': 'Neoverse-V2',
  '0x41:0xd80': 'Cortex-A520',
  '0x41:0xd81': 'Cortex-A720',
  '0x41:0xd83': 'Neoverse-V3AE',
  '0x4e:0x003': 'Denver 2',
  '0x4e:0x004': 'Carmel',
  '0x51:0x802': 'Kryo 385 Gold',
  '0x51:0x804': 'Kryo 485 Gold',
}

type Fields = ReadonlyMap<string, string>

export interface CpuReading {
  /** The architecture as Node.js names it (`x64`, `arm64`); undefined when the file does not tell. */
  readonly arch: string | undefined
  readonly cpu: CpuProfile
  /** `Model` and `Revision` of a Raspberry Pi. */
  readonly boardModel: string | undefined
  readonly boardRevision: string | undefined
}

export async function readCpu(files: MachineFiles): Promise<CpuReading> {
  const blocks = parseBlocks((await files.text('/proc/cpuinfo')) ?? '')
  const processors = blocks.filter((block) => block.has('processor'))
  const sets = processors.flatMap((block) => {
    const list = block.get('flags') ?? block.get('Features')
    return list === undefined ? [] : [new Set(list.split(/\s+/))]
  })
  const features = inferenceFeatures.filter((name) => sets.length > 0 && sets.every((set) => set.has(name)))
  return {
    arch: archOf(processors[0], sets[0]),
    cpu: { model: modelOf(processors), cores: Math.max(1, processors.length), features },
    boardModel: lastValue(blocks, 'Model'),
    boardRevision: lastValue(blocks, 'Revision'),
  }
}

/** Blocks of `name : value` lines, parted by empty lines. */
function parseBlocks(text: string): readonly Fields[] {
  return text.split(/\n\s*\n/).map((block) => {
    const lines = block.split('\n').map((line) => /^([^:]+?)\s*:\s*(.*)$/.exec(line))
    return new Map(lines.flatMap((match) => (match === null ? [] : [[match[1]!, match[2]!.trim()] as const])))
  })
}

function lastValue(blocks: readonly Fields[], name: string): string | undefined {
  return blocks.map((block) => block.get(name)).findLast((value) => value !== undefined && value !== '')
}

function archOf(
  processor: Fields | undefined,
  features: ReadonlySet<string> | undefined,
): string | undefined {
  if (processor?.has('flags') === true) return features?.has('lm') === true ? 'x64' : 'ia32'
  // 32-bit kernels list `neon`, 64-bit kernels `asimd`, on the same processor.
  if (processor?.has('Features') === true) return features?.has('asimd') === true ? 'arm64' : 'arm'
  return undefined
}

function modelOf(processors: readonly Fields[]): string {
  const names = processors.map((block) => {
    const implementer = block.get('CPU implementer')
    const part = block.get('CPU part')
    if (implementer === undefined || part === undefined) return block.get('model name') ?? 'unknown'
    return armCores[`${implementer}:${part}`] ?? `ARM core ${implementer}:${part}`
  })
  return names.length === 0 ? 'unknown' : [...new Set(names)].join(' + ')
}

/**
 * int8 layouts that compute right and fast with `features`, best first: what a bundle calls targets.
 * Without VNNI, x86-64 adds pairs of products in 16 bits, so only 7-bit weights (`x64`) are exact there.
 */
export function int8TargetsOf(arch: string, features: readonly string[]): readonly string[] {
  if (arch === 'arm64') return ['arm64']
  if (arch !== 'x64') return []
  const hasVnni = ['avx512_vnni', 'avx_vnni', 'amx_int8'].some((name) => features.includes(name))
  return hasVnni ? ['x64-vnni', 'x64'] : ['x64']
}
