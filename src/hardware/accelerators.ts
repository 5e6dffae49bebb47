/**
 * Graphics and neural processors, by what their drivers leave in /proc, /sys and /dev.
 * Invariant: an entry says that the device is there, not that any runtime here can use it; a device is listed once.
 * Sources: PCI and USB ids of the public id lists; device nodes of the vendors' driver documentation.
 */

import type { Accelerator } from './hardware-profile.js'
import type { MachineFiles } from './machine-files.js'

export async function readAccelerators(
  files: MachineFiles,
  chip: string | undefined,
): Promise<readonly Accelerator[]> {
  const found = [
    ...(await nvidiaDriver(files)),
    ...(await byPci(files)),
    ...(await byUsb(files)),
    ...(await byNode(files)),
    ...(await onChip(files, chip)),
  ]
  // The same device may be seen on the bus and by its node.
  const byName = new Map<string, Accelerator>()
  for (const each of found) if (!byName.has(each.name)) byName.set(each.name, each)
  const hasNvidiaName = found.some(({ evidence }) => evidence.startsWith('/proc/driver/nvidia/'))
  return [...byName.values()].filter(({ name }) => !(hasNvidiaName && name === nvidiaGpu))
}

const nvidiaGpu = 'NVIDIA GPU'

/** Cards with NVIDIA's driver loaded. */
async function nvidiaDriver(files: MachineFiles): Promise<readonly Accelerator[]> {
  const folder = '/proc/driver/nvidia/gpus'
  const cards: Accelerator[] = []
  for (const card of await files.names(folder)) {
    const evidence = `${folder}/${card}/information`
    const name = /^Model:\s+(.+)$/m.exec((await files.text(evidence)) ?? '')?.[1]
    if (name !== undefined) cards.push({ kind: 'gpu', name, evidence })
  }
  return cards
}

type Row = readonly [id: string, kind: Accelerator['kind'], name: string]

/** vendor:device. */
const pciDevices: readonly Row[] = [
  ['1e60:2864', 'npu', 'Hailo-8'],
  ['1e60:43a2', 'npu', 'Hailo-15'],
  ['1e60:45c4', 'npu', 'Hailo-10H'],
  ['1ac1:089a', 'npu', 'Coral Edge TPU'],
  ['8086:7d1d', 'npu', 'Intel NPU (Meteor Lake)'],
  ['8086:643e', 'npu', 'Intel NPU (Lunar Lake)'],
  ['8086:ad1d', 'npu', 'Intel NPU (Arrow Lake)'],
  ['1022:1502', 'npu', 'AMD XDNA NPU'],
  ['1022:17f0', 'npu', 'AMD XDNA 2 NPU'],
]
/** Vendors of display controllers (class 03). */
const gpuVendors: Readonly<Record<string, string>> = {
  '10de': nvidiaGpu,
  '1002': 'AMD GPU',
  '8086': 'Intel GPU',
}

async function byPci(files: MachineFiles): Promise<readonly Accelerator[]> {
  const folder = '/sys/bus/pci/devices'
  const found: Accelerator[] = []
  for (const device of await files.names(folder)) {
    const evidence = `${folder}/${device}`
    const [vendor, model, type] = await Promise.all(
      ['vendor', 'device', 'class'].map(async (name) => (await files.text(`${evidence}/${name}`))?.slice(2)),
    )
    const row = pciDevices.find(([id]) => id === `${vendor}:${model}`)
    const gpu = type?.startsWith('03') === true ? gpuVendors[vendor ?? ''] : undefined
    if (row !== undefined) found.push({ kind: row[1], name: row[2], evidence })
    else if (gpu !== undefined) found.push({ kind: 'gpu', name: gpu, evidence })
  }
  return found
}

/** vendor:product; the Coral stick changes its id once its firmware is loaded. */
const usbDevices: readonly Row[] = [
  ['1a6e:089a', 'npu', 'Coral USB Accelerator'],
  ['18d1:9302', 'npu', 'Coral USB Accelerator'],
  ['03e7:2485', 'npu', 'Intel Movidius Myriad X'],
]

async function byUsb(files: MachineFiles): Promise<readonly Accelerator[]> {
  const folder = '/sys/bus/usb/devices'
  const found: Accelerator[] = []
  for (const device of await files.names(folder)) {
    const evidence = `${folder}/${device}`
    const vendor = await files.text(`${evidence}/idVendor`)
    const product = await files.text(`${evidence}/idProduct`)
    const row = usbDevices.find(([id]) => id === `${vendor}:${product}`)
    if (row !== undefined) found.push({ kind: row[1], name: row[2], evidence })
  }
  return found
}

/** Nodes and drivers that only one kind of device has. */
const nodes: readonly (readonly [path: string, kind: Accelerator['kind'], name: string])[] = [
  ['/dev/hailo0', 'npu', 'Hailo-8'],
  ['/dev/apex_0', 'npu', 'Coral Edge TPU'],
  ['/dev/rknpu', 'npu', 'Rockchip NPU'],
  ['/sys/bus/platform/drivers/RKNPU', 'npu', 'Rockchip NPU'],
  ['/sys/bus/platform/drivers/rocket', 'npu', 'Rockchip NPU'],
  ['/dev/galcore', 'npu', 'VeriSilicon VIP (galcore)'],
  ['/dev/ethosu0', 'npu', 'Arm Ethos-U'],
  ['/dev/fastrpc-cdsp', 'npu', 'Qualcomm Hexagon'],
  ['/dev/nvhost-nvdla0', 'dla', 'NVIDIA DLA'],
  ['/dev/nvhost-ctrl-nvdla0', 'dla', 'NVIDIA DLA'],
  ['/dev/mali0', 'gpu', 'Arm Mali'],
  ['/sys/bus/platform/drivers/panthor', 'gpu', 'Arm Mali'],
  ['/sys/bus/platform/drivers/panfrost', 'gpu', 'Arm Mali'],
]

async function byNode(files: MachineFiles): Promise<readonly Accelerator[]> {
  const found: Accelerator[] = []
  for (const [evidence, kind, name] of nodes) {
    if (await files.exists(evidence)) found.push({ kind, name, evidence })
  }
  return found
}

/** GPUs that are part of a Jetson's chip: they are on no bus that lists them. */
const tegraGpus: Readonly<Record<string, string>> = {
  t210: 'NVIDIA Maxwell (Tegra X1)',
  t186: 'NVIDIA Pascal (Tegra X2)',
  t194: 'NVIDIA Volta (Xavier)',
  t234: 'NVIDIA Ampere (Orin)',
  t264: 'NVIDIA Blackwell (Thor)',
}
const tegraNodes = ['/dev/nvhost-gpu', '/dev/nvgpu', '/dev/nvidia0', '/dev/nvmap']

async function onChip(files: MachineFiles, chip: string | undefined): Promise<readonly Accelerator[]> {
  const name = tegraGpus[chip ?? '']
  if (name === undefined) return []
  for (const evidence of tegraNodes) {
    if (await files.exists(evidence)) return [{ kind: 'gpu', name, evidence }]
  }
  return []
}
