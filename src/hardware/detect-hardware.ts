/**
 * Finds out what machine the program runs on, or what machine a recorded tree of files is of.
 * Invariant: never fails; files come first, systeminformation is asked only for the machine itself and only for what no
 * file told, because it starts processes.
 */

import { release } from 'node:os'
import { graphics, system } from 'systeminformation'
import { readAccelerators } from './accelerators.js'
import { readBoard } from './board.js'
import { int8TargetsOf, readCpu } from './cpu.js'
import type { Accelerator, HardwareProfile, MachineCondition } from './hardware-profile.js'
import { readJetsonRelease, readTensorRtVersion } from './jetson.js'
import { machineFiles, type MachineFiles } from './machine-files.js'
import { readMemory } from './memory.js'
import { readPowerMode, readThermal } from './thermal.js'
import { readVideoDecoders } from './video-decoders.js'

export interface DetectOptions {
  /** Where the machine's file tree begins. Default: `/`, the machine itself. */
  readonly root?: string
  /** Instead of what the files tell. */
  readonly arch?: string
}

export async function detectHardware(options: DetectOptions = {}): Promise<HardwareProfile> {
  const files = machineFiles(options.root ?? '/')
  const cpu = await readCpu(files)
  const arch = options.arch ?? cpu.arch ?? (files.isReal ? process.arch : 'unknown')
  const { board, family, chip } = await readBoard(files, cpu)
  const platformRelease = await readJetsonRelease(files)
  const accelerators = await acceleratorsOf(files, chip)
  const tensorrt = await readTensorRtVersion(files)
  return {
    board: {
      name: board ?? (await boardByTools(files)) ?? 'unknown board',
      family,
      ...(chip !== undefined && { chip }),
      ...(platformRelease !== undefined && { platformRelease }),
    },
    cpu: cpu.cpu,
    accelerators,
    videoDecoders: await readVideoDecoders(files, accelerators),
    condition: await conditionOf(files),
    os: await readOs(files),
    arch,
    int8Targets: int8TargetsOf(arch, cpu.cpu.features),
    platformRuntimes: tensorrt === undefined ? {} : { tensorrt },
  }
}

/** How the machine is now: cheap enough for every few seconds. */
export function readMachineCondition(root = '/'): Promise<MachineCondition> {
  return conditionOf(machineFiles(root))
}

async function conditionOf(files: MachineFiles): Promise<MachineCondition> {
  const powerMode = await readPowerMode(files)
  return {
    ...(await readMemory(files)),
    ...(await readThermal(files)),
    ...(powerMode !== undefined && { powerMode }),
  }
}

async function readOs(files: MachineFiles): Promise<string> {
  const text = (await files.text('/etc/os-release')) ?? ''
  const name = /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(text)?.[1] ?? 'unknown Linux'
  const kernel = (await files.text('/proc/sys/kernel/osrelease')) ?? (files.isReal ? release() : undefined)
  return kernel === undefined ? name : `${name}, kernel ${kernel}`
}

/** Firmware tables that only tools can read. */
async function boardByTools(files: MachineFiles): Promise<string | undefined> {
  if (!files.isReal) return undefined
  const { manufacturer, model } = await system()
  const name = [manufacturer, model].filter((part) => part !== '' && part !== '-').join(' ')
  return name === '' ? undefined : name
}

async function acceleratorsOf(
  files: MachineFiles,
  chip: string | undefined,
): Promise<readonly Accelerator[]> {
  const found = await readAccelerators(files, chip)
  if (found.length > 0 || !files.isReal) return found
  const { controllers } = await graphics()
  return controllers
    .filter(({ vendor, model }) => /nvidia|amd|advanced micro devices|intel/i.test(`${vendor} ${model}`))
    .map(({ vendor, model }) => ({
      kind: 'gpu',
      name: model.startsWith(vendor) ? model : `${vendor} ${model}`,
      evidence: 'lspci',
    }))
}
