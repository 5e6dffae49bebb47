/**
 * Which board this is, and its chip.
 * Invariant: an unknown board still has the name its firmware gives it.
 */

import type { MachineFiles } from './machine-files.js'

export interface Board {
  /** As the firmware names it. */
  readonly name: string
  /** The SoC by its vendor's short name: `t234`, `bcm2712`, `rk3588`; absent on PCs. */
  readonly chip?: string
  /** The vendor's software release: `L4T 36.4.3`. */
  readonly platformRelease?: string
}

/** Chips by a `vendor,chip` string of the device tree's root `compatible` list. */
const chips: Readonly<Record<string, string>> = {
  'nvidia,tegra210': 't210',
  'nvidia,tegra194': 't194',
  'nvidia,tegra234': 't234',
  'nvidia,tegra264': 't264',
  'brcm,bcm2837': 'bcm2837',
  'brcm,bcm2711': 'bcm2711',
  'brcm,bcm2712': 'bcm2712',
  'rockchip,rk3566': 'rk3566',
  'rockchip,rk3568': 'rk3568',
  'rockchip,rk3576': 'rk3576',
  'rockchip,rk3588': 'rk3588',
  'rockchip,rk3588s': 'rk3588',
  'fsl,imx8mp': 'imx8mp',
  'fsl,imx8mq': 'imx8mq',
  'fsl,imx93': 'imx93',
  'ti,am62p5': 'am62p5',
  'qcom,qcs6490': 'qcs6490',
}

export async function readBoard(files: MachineFiles): Promise<Board> {
  const model =
    (await files.read('proc/device-tree/model')) ?? (await files.read('sys/firmware/devicetree/base/model'))
  const chip = await readChip(files)
  const platformRelease = await readTegraRelease(files)
  return {
    name: firstLine(model) ?? (await readPcName(files)),
    ...(chip !== undefined && { chip }),
    ...(platformRelease !== undefined && { platformRelease }),
  }
}

async function readChip(files: MachineFiles): Promise<string | undefined> {
  const text =
    (await files.read('proc/device-tree/compatible')) ??
    (await files.read('sys/firmware/devicetree/base/compatible'))
  const known = text?.split('\n').find((name) => Object.hasOwn(chips, name))
  return known === undefined ? undefined : chips[known]
}

/** `# R36 (release), REVISION: 4.3, GCID: ...` -> `L4T 36.4.3`. */
async function readTegraRelease(files: MachineFiles): Promise<string | undefined> {
  const found = /R(\d+) \(release\), REVISION: ([\d.]+)/.exec(
    (await files.read('etc/nv_tegra_release')) ?? '',
  )
  return found === null ? undefined : `L4T ${found[1]}.${found[2]}`
}

async function readPcName(files: MachineFiles): Promise<string> {
  const folder = 'sys/class/dmi/id'
  const vendor = firstLine(await files.read(`${folder}/sys_vendor`))
  const product = firstLine(await files.read(`${folder}/product_name`))
  const name = [vendor, product].filter(
    (part) => part !== undefined && !/^(Default string|To be filled)/i.test(part),
  )
  return name.length === 0 ? 'unknown board' : name.join(' ')
}

function firstLine(text: string | undefined): string | undefined {
  return text?.split('\n', 1)[0]
}
