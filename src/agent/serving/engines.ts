/**
 * Engines that execution providers build on this device, for trials and for serving alike: what a trial has built, serving
 * loads. Invariant: without a place to keep them a model still runs; it is said once, and built anew at each start.
 */

import { stat } from 'node:fs/promises'
import type { Logger } from '../../base/logger.js'
import type { Sha256 } from '../../base/sha256.js'
import type { HardwareProfile } from '../../hardware/hardware-profile.js'
import { buildsEngines, EngineCache, type EngineFolder } from '../../runtime/engine-cache.js'
import type { SessionOptions } from '../../runtime/session-options.js'

/** Options to open a session with, and the place of its engine, if its provider builds one. */
export interface EngineSession {
  readonly session: SessionOptions
  readonly engine: EngineFolder | undefined
}

export class Engines {
  readonly #cache: EngineCache
  readonly #logger: Logger

  constructor(folder: string, logger: Logger) {
    this.#cache = new EngineCache(folder)
    this.#logger = logger
  }

  /** `session` for the model of this digest on this machine, with the folder of its engine. */
  async place(
    session: SessionOptions,
    modelSha256: Sha256,
    hardware: HardwareProfile,
  ): Promise<EngineSession> {
    const { library, providerOptions = {} } = session
    const provider = session.providers?.find(buildsEngines)
    if (library === undefined || provider === undefined) return { session, engine: undefined }
    const { board, accelerators, platformRuntimes } = hardware
    const prepared = await this.#cache.prepare({
      modelSha256,
      runtime: await nameOfLibrary(library),
      provider,
      providerVersion: platformRuntimes[provider] ?? 'unknown',
      board: [board.name, board.platformRelease ?? '', ...accelerators.map(({ name }) => name)].join(', '),
      flags: providerOptions[provider] ?? {},
    })
    if (prepared.state === 'unwritable') {
      this.#logger.warn({ provider, reason: prepared.reason }, 'the engine is built anew at each start')
      return { session, engine: undefined }
    }
    const { folder } = prepared
    return { session: { ...session, engineFolder: folder.path }, engine: folder }
  }

  /** Removes engines of models that are not among `models`. */
  async collectGarbage(models: readonly Sha256[]): Promise<void> {
    const removed = await this.#cache.collectGarbage(models)
    if (removed > 0) this.#logger.info({ removed }, 'engines of models that are gone were removed')
  }
}

/** A library that is replaced by another of the same name is another one. */
export async function nameOfLibrary(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  return `${path} ${found?.size} ${found?.mtimeMs}`
}
