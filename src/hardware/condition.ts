/** How the machine is right now: memory, heat, power. Invariant: a figure that the machine does not give is absent. */

import type { MachineFiles } from './machine-files.js'

export interface MachineCondition {
  /** What this process may use, the limit of its control group included. */
  readonly memoryTotalBytes: number
  readonly memoryAvailableBytes: number
  /** Of the hottest sensor. */
  readonly temperatureC?: number
  /** The SoC has slowed down because of heat or power. */
  readonly throttled?: boolean
  /** Of a Jetson: `MODE_15W`, ... */
  readonly powerMode?: string
}

export async function readCondition(files: MachineFiles): Promise<MachineCondition> {
  const memory = await readMemory(files)
  const temperatureC = await readTemperature(files)
  const throttled = await readThrottled(files)
  const powerMode = await readPowerMode(files)
  return {
    ...memory,
    ...(temperatureC !== undefined && { temperatureC }),
    ...(throttled !== undefined && { throttled }),
    ...(powerMode !== undefined && { powerMode }),
  }
}

type Memory = Pick<MachineCondition, 'memoryTotalBytes' | 'memoryAvailableBytes'>

async function readMemory(files: MachineFiles): Promise<Memory> {
  const text = (await files.read('proc/meminfo')) ?? ''
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0)
  const machineBytes = kilobytes('MemTotal') * 1024
  const availableBytes = kilobytes('MemAvailable') * 1024
  const limitBytes =
    toBytes(await files.read('sys/fs/cgroup/memory.max')) ??
    toBytes(await files.read('sys/fs/cgroup/memory/memory.limit_in_bytes')) ??
    Number.POSITIVE_INFINITY
  return {
    memoryTotalBytes: Math.min(machineBytes, limitBytes),
    memoryAvailableBytes: Math.min(availableBytes, limitBytes),
  }
}

/** `max` and absence mean no limit. */
function toBytes(text: string | undefined): number | undefined {
  const bytes = Number(text)
  return text !== undefined && Number.isFinite(bytes) && bytes > 0 ? bytes : undefined
}

/** Thermal zones are in thousandths of a degree; sensors that are off show values far from any real one. */
async function readTemperature(files: MachineFiles): Promise<number | undefined> {
  const folder = 'sys/class/thermal'
  let hottest: number | undefined
  for (const zone of (await files.list(folder)).filter((name) => name.startsWith('thermal_zone'))) {
    const degrees = Number((await files.read(`${folder}/${zone}/temp`)) ?? Number.NaN) / 1000
    if (degrees > -40 && degrees < 150) hottest = Math.max(hottest ?? degrees, degrees)
  }
  return hottest
}

/** Bits 0..3 of the firmware's word: under-voltage, frequency capped, throttled, soft limit, all of this moment. */
async function readThrottled(files: MachineFiles): Promise<boolean | undefined> {
  const word = await files.read('sys/devices/platform/soc/soc:firmware/get_throttled')
  return word === undefined ? undefined : (Number.parseInt(word, 16) & 0b1111) !== 0
}

/** `pmode:0002` is the number of a mode; its name is in the table of the board: `< POWER_MODEL ID=2 NAME=15W >`. */
async function readPowerMode(files: MachineFiles): Promise<string | undefined> {
  const id = /pmode:0*(\d+)/.exec((await files.read('var/lib/nvpmodel/status')) ?? '')?.[1]
  if (id === undefined) return undefined
  const table = (await files.read('etc/nvpmodel.conf')) ?? ''
  const name = new RegExp(`< POWER_MODEL ID=${id} NAME=(\\S+) >`).exec(table)?.[1]
  return name ?? `mode ${id}`
}
