/**
 * Runtimes that were added to this device: libraries of ONNX Runtime and plugins, unpacked below the state folder, each with a
 * record of what it proved to compute.
 *
 *     <state>/runtimes/<name>/runtime.json    the record, written last
 *     <state>/runtimes/<name>/...             the libraries, as their package holds them
 *
 * Invariant: a folder without a record is none; reading changes nothing.
 */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../../config/config.js'
import { builtInLibrary } from '../../runtime/native/built-in-library.js'
import { executionProviders } from '../../runtime/execution-providers.js'
import type { Precision } from '../probe/precision-proof.js'

/** What was written down when a runtime was added. */
export interface RuntimeRecord {
  readonly name: string
  readonly provider: string
  readonly package: string
  readonly version: string
  /** Within its folder. */
  readonly library: string
  readonly isPlugin: boolean
  /** Options that its provider gets unless the settings say otherwise. */
  readonly options: Readonly<Record<string, string>>
  readonly precision: Precision
  /** Milliseconds of one run of YOLOv8n at 640: on it, and on the CPU by what came along, measured in turns. */
  readonly ms: number
  readonly cpuMs: number
}

/** A runtime and the folder that it lies in. */
export interface InstalledRuntime extends RuntimeRecord {
  readonly folder: string
}

/** The name of the record within the folder of a runtime. */
export const recordFile = 'runtime.json'

/** The folder of all runtimes. */
export function runtimesFolder(stateDirectory: string): string {
  return join(stateDirectory, 'runtimes')
}

/** What is there, the fastest first. */
export async function installedRuntimes(stateDirectory: string): Promise<readonly InstalledRuntime[]> {
  const root = runtimesFolder(stateDirectory)
  const names = await readdir(root).catch((): string[] => [])
  const found = await Promise.all(
    names.filter((name) => !name.startsWith('.')).map((name) => read(join(root, name))),
  )
  return found.filter((one) => one !== undefined).sort((a, b) => a.ms / a.cpuMs - b.ms / b.cpuMs)
}

async function read(folder: string): Promise<InstalledRuntime | undefined> {
  try {
    const record = JSON.parse(await readFile(join(folder, recordFile), 'utf8')) as RuntimeRecord
    return { ...record, folder }
  } catch {
    // What has no record was not finished.
    return undefined
  }
}

/** What stands in `inference.providers` where the device chooses by itself. */
export const automatic = 'auto'

/**
 * `inference` with its runtime and providers named: those of the settings; for `auto`, what an own library may have, or the
 * fastest runtime that was added, where it is faster than the CPU, and the CPU.
 */
export function inferenceWith(
  inference: Config['inference'],
  runtimes: readonly InstalledRuntime[],
): Config['inference'] {
  const { providers, library } = inference
  const isAutomatic = providers.includes(automatic)
  if (library !== '') {
    const all = Object.keys(executionProviders)
    return isAutomatic ? { ...inference, providers: all } : inference
  }
  const runtime = runtimes.find((one) =>
    isAutomatic ? one.ms < one.cpuMs : providers.includes(one.provider),
  )
  if (runtime === undefined) return isAutomatic ? { ...inference, providers: ['cpu'] } : inference
  return {
    ...runtimeSettings(runtime, inference),
    providers: isAutomatic ? [runtime.provider, 'cpu'] : providers,
  }
}

/** {@link inferenceWith} what this device has. */
export async function chosenInference({ inference, state }: Config): Promise<Config['inference']> {
  return inferenceWith(inference, await installedRuntimes(state.directory))
}

/** `inference` with the library of `runtime`; options of the settings win over its own. */
function runtimeSettings(runtime: InstalledRuntime, inference: Config['inference']): Config['inference'] {
  const path = join(runtime.folder, runtime.library)
  const own = Object.entries(runtime.options).map(([key, value]) => `${runtime.provider}.${key}=${value}`)
  return {
    ...inference,
    library: runtime.isPlugin ? builtInLibrary() : path,
    providerOptions: [...own, ...inference.providerOptions],
    providerLibraries: runtime.isPlugin
      ? [`${runtime.provider}=${path}`, ...inference.providerLibraries]
      : inference.providerLibraries,
  }
}
