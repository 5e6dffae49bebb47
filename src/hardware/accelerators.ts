/** Processors beside the CPU, by the device nodes of their drivers. Invariant: present, not proven to work. */

import type { MachineFiles } from './machine-files.js'

export interface Accelerator {
  readonly kind: 'gpu' | 'npu'
  readonly name: string
}

interface NodeRow {
  readonly node: RegExp
  readonly kind: Accelerator['kind']
  readonly name: string
}

/** Nodes in /dev that the drivers make. */
const nodeTable: readonly NodeRow[] = [
  { node: /^nvidia0$/, kind: 'gpu', name: 'NVIDIA GPU' },
  { node: /^nvhost-as-gpu$|^nvgpu$/, kind: 'gpu', name: 'NVIDIA Tegra GPU' },
  { node: /^nvhost-nvdla0$|^nvhost-ctrl-nvdla0$/, kind: 'npu', name: 'NVIDIA DLA' },
  { node: /^hailo0$/, kind: 'npu', name: 'Hailo' },
  { node: /^apex_0$/, kind: 'npu', name: 'Coral Edge TPU' },
  { node: /^rknpu$/, kind: 'npu', name: 'Rockchip NPU' },
  { node: /^ethosu0$/, kind: 'npu', name: 'Arm Ethos-U' },
  { node: /^accel$/, kind: 'npu', name: 'Linux compute accelerator' },
  { node: /^galcore$/, kind: 'npu', name: 'VeriSilicon NPU' },
  { node: /^adsprpc-smd$|^fastrpc-cdsp$/, kind: 'npu', name: 'Qualcomm Hexagon' },
]

/** Drivers that have no node of their own, by their folder in sysfs. */
const driverTable = [
  { folder: 'sys/bus/platform/drivers/RKNPU', kind: 'npu', name: 'Rockchip NPU' },
] as const satisfies readonly {
  readonly folder: string
  readonly kind: Accelerator['kind']
  readonly name: string
}[]

export async function readAccelerators(files: MachineFiles): Promise<readonly Accelerator[]> {
  const nodes = await files.list('dev')
  const found = new Map<string, Accelerator>()
  for (const { node, kind, name } of nodeTable)
    if (nodes.some((each) => node.test(each))) found.set(name, { kind, name })
  for (const { folder, kind, name } of driverTable)
    if (await files.exists(folder)) found.set(name, { kind, name })
  return [...found.values()]
}
