/**
 * What only NVIDIA Jetson boards have: the release of their system software and the power modes.
 * Sources: NVIDIA's Jetson Linux archive for the releases, nvpmodel's configuration file for the modes.
 */

import type { MachineFiles } from './machine-files.js'

/** JetPack by L4T release; the longest that matches the beginning counts. */
const jetPacks: readonly (readonly [l4t: string, jetPack: string])[] = [
  ['32.7.1', '4.6.1'],
  ['32.7.2', '4.6.2'],
  ['32.7.3', '4.6.3'],
  ['32.7.4', '4.6.4'],
  ['32.7.5', '4.6.5'],
  ['32.', '4'],
  ['35.1', '5.0.2'],
  ['35.2', '5.1'],
  ['35.3', '5.1.1'],
  ['35.4', '5.1.2'],
  ['35.5', '5.1.3'],
  ['35.6.0', '5.1.4'],
  ['35.', '5'],
  ['36.3', '6.0'],
  ['36.4.0', '6.1'],
  ['36.4.3', '6.2'],
  ['36.', '6'],
  ['38.', '7'],
]

/** `JetPack 6.2 (L4T 36.4.3)` from /etc/nv_tegra_release; undefined on other machines. */
export async function readJetsonRelease(files: MachineFiles): Promise<string | undefined> {
  const text = (await files.text('/etc/nv_tegra_release')) ?? ''
  const [, major, revision] = /R(\d+) \(release\), REVISION: ([\d.]+)/.exec(text) ?? []
  if (major === undefined || revision === undefined) return undefined
  const l4t = `${major}.${revision}`
  const row = jetPacks
    .filter(([prefix]) => l4t.startsWith(prefix))
    .reduce<readonly [string, string]>(
      (best, each) => (each[0].length > best[0].length ? each : best),
      ['', ''],
    )
  return row[1] === '' ? `L4T ${l4t}` : `JetPack ${row[1]} (L4T ${l4t})`
}

/** The name of the current power mode: `MAXN`, `15W`; its number where it has no name. */
export async function readNvpmodel(files: MachineFiles): Promise<string | undefined> {
  const status = await files.text('/var/lib/nvpmodel/status')
  const id = /pmode:0*(\d+)/.exec(status ?? '')?.[1]
  if (id === undefined) return undefined
  const config = (await files.text('/etc/nvpmodel.conf')) ?? ''
  return new RegExp(`<\\s*POWER_MODEL\\s+ID=${id}\\s+NAME=(\\S+)\\s*>`).exec(config)?.[1] ?? `mode ${id}`
}

/** Version of TensorRT by the file name of its library: `libnvinfer.so.10.3.0` is 10.3.0. */
export async function readTensorRtVersion(files: MachineFiles): Promise<string | undefined> {
  for (const folder of ['/usr/lib/aarch64-linux-gnu', '/usr/lib/x86_64-linux-gnu']) {
    for (const name of await files.names(folder)) {
      const version = /^libnvinfer\.so\.(\d+\.\d+\.\d+)$/.exec(name)?.[1]
      if (version !== undefined) return version
    }
  }
  return undefined
}
