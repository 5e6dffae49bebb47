/**
 * Board and chip: device tree on ARM boards, DMI on PCs, revision codes on old Raspberry Pi systems.
 * Invariant: names are those of the firmware; the chip is the most general name of the device tree's `compatible`.
 */

import type { CpuReading } from './cpu.js'
import type { BoardFamily } from './hardware-profile.js'
import type { MachineFiles } from './machine-files.js'

export interface BoardReading {
  /** Undefined when no file names it. */
  readonly board: string | undefined
  readonly family: BoardFamily
  readonly chip: string | undefined
}

const deviceTrees = ['/proc/device-tree', '/sys/firmware/devicetree/base']

export async function readBoard(files: MachineFiles, cpu: CpuReading): Promise<BoardReading> {
  for (const tree of deviceTrees) {
    const model = await files.text(`${tree}/model`)
    const compatible = ((await files.text(`${tree}/compatible`)) ?? '').split('\0')
    const general = compatible.at(-1)?.split(',') ?? []
    const [vendor, device] = general
    if (model === undefined && device === undefined) continue
    return {
      board: model ?? compatible[0],
      family: familyOf(vendor, compatible),
      ...(device === undefined ? { chip: undefined } : { chip: chipName(device) }),
    }
  }
  const byRevision = raspberryPiOf(cpu)
  if (byRevision !== undefined) return byRevision
  const vendor = await files.text('/sys/class/dmi/id/sys_vendor')
  const product = await files.text('/sys/class/dmi/id/product_name')
  const names = [vendor, product].filter((name) => name !== undefined && !placeholders.test(name))
  const isPc = cpu.arch === 'x64' || cpu.arch === 'ia32'
  return {
    board: names.length === 0 ? undefined : names.join(' '),
    family: isPc ? 'pc' : 'other',
    chip: undefined,
  }
}

/** What firmware says when nobody filled the field. */
const placeholders =
  /^(to be filled by o\.?e\.?m\.?|system manufacturer|system product name|default string|none)$/i

function familyOf(vendor: string | undefined, compatible: readonly string[]): BoardFamily {
  const has = (prefix: string): boolean => compatible.some((name) => name.startsWith(prefix))
  if (has('raspberrypi,')) return 'raspberry-pi'
  if (has('nvidia,tegra')) return 'jetson'
  if (vendor === 'rockchip') return 'rockchip'
  return vendor === 'fsl' || vendor === 'nxp' ? 'nxp' : 'other'
}

/** `tegra234` is `t234` wherever engines and libraries are named after it. */
function chipName(device: string): string {
  return device.replace(/^tegra(?=\d)/, 't')
}

/** Processor of a new-style revision code (bits 12 to 15). */
const piChips = ['bcm2835', 'bcm2836', 'bcm2837', 'bcm2711', 'bcm2712']
const newStyle = 1 << 23

function raspberryPiOf({ boardModel, boardRevision }: CpuReading): BoardReading | undefined {
  if (boardModel?.startsWith('Raspberry Pi') !== true) return undefined
  const code = Number.parseInt(boardRevision ?? '', 16)
  const chip = (code & newStyle) === 0 ? piChips[0] : piChips[(code >> 12) & 15]
  return { board: boardModel, family: 'raspberry-pi', chip }
}
