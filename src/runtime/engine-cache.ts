/**
 * Engines that an execution provider builds from a model on the device itself, kept on disk: a build takes minutes, and
 * without a cache it is repeated at each start.
 *
 *     <root>/<digest of the identity>/           what the provider writes
 *     <root>/<digest of the identity>/complete.json   the identity and the build's duration, written last
 *
 * Invariant: an engine is used only by the very model, runtime, provider, board and flags that it was built with, and only
 * when its build came to its end: a folder without its last file is emptied before it is used.
 */

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../base/atomic-file.js'
import { sha256Of } from '../base/digest.js'
import { messageOf } from '../base/errors.js'
import type { Sha256 } from '../base/sha256.js'

/** Everything that an engine depends on. */
export interface EngineIdentity {
  readonly modelSha256: Sha256
  /** The library of ONNX Runtime, so that a replaced one is another one. */
  readonly runtime: string
  /** The provider, and the version of what is behind it: `tensorrt`, `10.3.0`. */
  readonly provider: string
  readonly providerVersion: string
  /** Board and accelerators. */
  readonly board: string
  /** Options of the provider. */
  readonly flags: Readonly<Record<string, string>>
}

/** A place for an engine. */
export interface EngineFolder {
  readonly path: string
  /** Whether a finished engine lies there already. */
  readonly isBuilt: boolean
  /** How long the build will take by what earlier ones of this provider took, milliseconds. */
  readonly expectedBuildMs: number
  /** Says that the engine is whole. */
  complete(buildMs: number): Promise<void>
}

export type PreparedEngine =
  | { readonly state: 'ready'; readonly folder: EngineFolder }
  /** The engine would be built anew at each start. */
  | { readonly state: 'unwritable'; readonly reason: string }

const completeFile = 'complete.json'
/** YOLOv8n on a Jetson Orin Nano takes this order of time. */
const firstGuessMs = 180_000

export class EngineCache {
  readonly #root: string

  /** `root` is made when it is first needed. */
  constructor(root: string) {
    this.#root = root
  }

  /** Makes the place for an engine of `identity` ready, or says why there is none. Never throws. */
  async prepare(identity: EngineIdentity): Promise<PreparedEngine> {
    const path = join(this.#root, digestOf(identity))
    try {
      const isBuilt = (await readComplete(path)) !== undefined
      if (!isBuilt) await rm(path, { recursive: true, force: true })
      await mkdir(path, { recursive: true })
      await requireWritable(path)
      const expectedBuildMs = isBuilt ? 0 : await this.#expectedBuildMs(identity.provider)
      const complete = (buildMs: number): Promise<void> => writeComplete(path, { identity, buildMs })
      return { state: 'ready', folder: { path, isBuilt, expectedBuildMs, complete } }
    } catch (thrown) {
      return { state: 'unwritable', reason: `cannot keep engines in ${path}: ${messageOf(thrown)}` }
    }
  }

  /** Removes the engines of models that are not among `models`, and builds that were not finished. Returns how many. */
  async collectGarbage(models: readonly Sha256[]): Promise<number> {
    let removed = 0
    for (const name of await namesIn(this.#root)) {
      const path = join(this.#root, name)
      const record = await readComplete(path)
      if (record !== undefined && models.includes(record.identity.modelSha256)) continue
      await rm(path, { recursive: true, force: true })
      removed++
    }
    return removed
  }

  async #expectedBuildMs(provider: string): Promise<number> {
    const names = await namesIn(this.#root)
    const records = await Promise.all(names.map((name) => readComplete(join(this.#root, name))))
    const times = records.flatMap((record) =>
      record?.identity.provider === provider && record.buildMs > 0 ? [record.buildMs] : [],
    )
    return times.length === 0 ? firstGuessMs : Math.max(...times)
  }
}

interface CompleteRecord {
  readonly identity: EngineIdentity
  readonly buildMs: number
}

/** Independent of the order in which flags are named. */
function digestOf({ flags, ...rest }: EngineIdentity): string {
  const sorted = Object.entries(flags).sort(([a], [b]) => (a < b ? -1 : 1))
  const { modelSha256, runtime, provider, providerVersion, board } = rest
  return sha256Of(JSON.stringify([modelSha256, runtime, provider, providerVersion, board, sorted]))
}

async function requireWritable(path: string): Promise<void> {
  const probe = join(path, 'writable')
  await writeFile(probe, '')
  await rm(probe)
}

function writeComplete(path: string, record: CompleteRecord): Promise<void> {
  return writeFileAtomic(join(path, completeFile), `${JSON.stringify(record, null, 2)}\n`)
}

async function readComplete(path: string): Promise<CompleteRecord | undefined> {
  try {
    return JSON.parse(await readFile(join(path, completeFile), 'utf8')) as CompleteRecord
  } catch {
    // Absent or torn: the build did not come to its end.
    return undefined
  }
}

async function namesIn(root: string): Promise<readonly string[]> {
  try {
    return await readdir(root)
  } catch {
    // Nothing was built yet.
    return []
  }
}

/** The options by which a provider keeps its engines in `folder`; empty for one that builds none. */
export function engineOptions(provider: string, folder: string): Readonly<Record<string, string>> {
  switch (provider) {
    case 'tensorrt':
      return {
        trt_engine_cache_enable: '1',
        trt_engine_cache_path: folder,
        trt_timing_cache_enable: '1',
        trt_timing_cache_path: folder,
      }
    case 'openvino':
      return { cache_dir: folder }
    case 'coreml':
      return { ModelCacheDirectory: folder }
    default:
      return {}
  }
}

/** Whether `provider` builds engines that are worth keeping. */
export function buildsEngines(provider: string): boolean {
  return Object.keys(engineOptions(provider, '')).length > 0
}
