/**
 * Heat and power: temperatures, power mode, and whether the machine has slowed itself down.
 * Sources: Linux thermal sysfs and cpufreq; Raspberry Pi documentation of get_throttled; Intel thermal_throttle counters.
 */

import { readNvpmodel } from './jetson.js'
import type { ThermalState } from './hardware-profile.js'
import type { MachineFiles } from './machine-files.js'

/** Bits of get_throttled; bit + 16 says the same of the time since the start. */
const throttleBits = ['under-voltage', 'frequency capped', 'throttled', 'soft temperature limit']
/** A sensor that reports less or more than this is broken or switched off. */
const plausibleC = { min: -60, max: 200 }

export async function readThermal(files: MachineFiles): Promise<ThermalState> {
  const temperatureC = await hottestZone(files)
  const bits = await throttledBits(files)
  const slowed = bits === undefined ? await coolingDevices(files) : undefined
  const reasons =
    bits === undefined
      ? (slowed?.reasons ?? [])
      : throttleBits.flatMap((name, bit) => {
          if (((bits >> bit) & 1) === 1) return [name]
          return ((bits >> (bit + 16)) & 1) === 1 ? [`${name} since the start`] : []
        })
  const throttled = bits === undefined ? slowed?.throttled : (bits & 0xf) !== 0
  return {
    ...(temperatureC !== undefined && { temperatureC }),
    ...(throttled !== undefined && { throttled }),
    throttleReasons: reasons,
  }
}

async function hottestZone(files: MachineFiles): Promise<number | undefined> {
  const folder = '/sys/class/thermal'
  const zones = (await files.names(folder)).filter((name) => name.startsWith('thermal_zone'))
  const values = await Promise.all(zones.map((zone) => files.number(`${folder}/${zone}/temp`)))
  const celsius = values
    .map((milli) => (milli ?? NaN) / 1000)
    .filter((value) => value > plausibleC.min && value < plausibleC.max)
  return celsius.length === 0 ? undefined : Math.max(...celsius)
}

/** The firmware's word on a Raspberry Pi: hexadecimal, with or without 0x. */
async function throttledBits(files: MachineFiles): Promise<number | undefined> {
  const driver = '/sys/bus/platform/drivers/raspberrypi-firmware'
  const devices = (await files.names(driver)).map((name) => `${driver}/${name}`)
  for (const device of [...devices, '/sys/devices/platform/soc/soc:firmware']) {
    const text = await files.text(`${device}/get_throttled`)
    const bits = Number.parseInt(text ?? '', 16)
    if (Number.isFinite(bits)) return bits
  }
  return undefined
}

/** Cooling that takes speed away (not fans), now. */
async function coolingDevices(
  files: MachineFiles,
): Promise<{ readonly throttled: boolean; readonly reasons: readonly string[] } | undefined> {
  const folder = '/sys/class/thermal'
  const devices = (await files.names(folder)).filter((name) => name.startsWith('cooling_device'))
  const reasons: string[] = []
  let isKnown = false
  for (const device of devices) {
    const type = (await files.text(`${folder}/${device}/type`)) ?? ''
    if (!/cpufreq|devfreq|Processor|cpu-throttle|gpu-throttle|^thermal-/i.test(type)) continue
    isKnown = true
    if (((await files.number(`${folder}/${device}/cur_state`)) ?? 0) > 0)
      reasons.push(`${type} is slowed down`)
  }
  return isKnown ? { throttled: reasons.length > 0, reasons } : undefined
}

/** `15W` on a Jetson, `governor ondemand` elsewhere. */
export async function readPowerMode(files: MachineFiles): Promise<string | undefined> {
  const mode = await readNvpmodel(files)
  if (mode !== undefined) return mode
  const governor =
    (await files.text('/sys/devices/system/cpu/cpufreq/policy0/scaling_governor')) ??
    (await files.text('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'))
  return governor === undefined ? undefined : `governor ${governor}`
}
