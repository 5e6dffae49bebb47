/** The processor, from /proc/cpuinfo (proc(5)). Invariant: features have the names of ONNX Runtime's kernels' needs. */

import type { MachineFiles } from './machine-files.js'

export interface Cpu {
  readonly model: string
  readonly cores: number
  /** Of {@link notedFeatures}, those that this processor has. */
  readonly features: readonly string[]
}

/** The features that decide which kernels run, by the flag that Linux shows them under. */
const notedFeatures: Readonly<Record<string, string>> = {
  // Arm: 64-bit SIMD, its dot products, its int8 and bfloat16 matrix products, half floats, scalable vectors.
  asimd: 'asimd',
  asimddp: 'asimddp',
  asimdhp: 'asimdhp',
  i8mm: 'i8mm',
  bf16: 'bf16',
  sve: 'sve',
  // x86-64.
  avx2: 'avx2',
  avx512f: 'avx512f',
  avx512_vnni: 'avx512_vnni',
  avx_vnni: 'avx_vnni',
  avx512_bf16: 'avx512_bf16',
  amx_int8: 'amx_int8',
  amx_tile: 'amx_tile',
}

/** Arm's part numbers (MIDR_EL1, `CPU part`) of cores that boards of this field have; names as Arm gives them. */
const armParts: Readonly<Record<string, string>> = {
  '0xd03': 'Cortex-A53',
  '0xd05': 'Cortex-A55',
  '0xd07': 'Cortex-A57',
  '0xd08': 'Cortex-A72',
  '0xd0b': 'Cortex-A76',
  '0xd42': 'Cortex-A78AE',
  '0x004': 'Carmel',
}

export async function readCpu(files: MachineFiles): Promise<Cpu> {
  const text = (await files.read('proc/cpuinfo')) ?? ''
  const fields = fieldsOf(text)
  const cores = fields.filter(([name]) => name === 'processor').length
  const flags = new Set(valueOf(fields, 'flags', 'Features')?.split(/\s+/))
  const features = Object.entries(notedFeatures)
    .filter(([flag]) => flags.has(flag))
    .map(([, feature]) => feature)
  return { model: modelOf(fields), cores: Math.max(1, cores), features }
}

type Field = readonly [name: string, value: string]

function fieldsOf(text: string): readonly Field[] {
  return text.split('\n').flatMap((line): Field[] => {
    const cut = line.indexOf(':')
    return cut < 0 ? [] : [[line.slice(0, cut).trim(), line.slice(cut + 1).trim()]]
  })
}

function valueOf(fields: readonly Field[], ...names: readonly string[]): string | undefined {
  return fields.find(([name, value]) => names.includes(name) && value !== '')?.[1]
}

/** The name in the file, or those of the kinds of Arm cores, the strongest first. */
function modelOf(fields: readonly Field[]): string {
  const named = valueOf(fields, 'model name')
  if (named !== undefined) return named
  const parts = new Set(fields.filter(([name]) => name === 'CPU part').map(([, value]) => value))
  const names = [...parts].map((part) => armParts[part] ?? `Arm part ${part}`).sort()
  return names.length === 0 ? 'unknown' : names.reverse().join(' + ')
}
