/**
 * Sees to it that the model that should serve does, and that its files are what their digests say.
 *
 *     look: files right? --no--> manifest and files from the broker --> serve
 *                                          |
 *                                       fails: the model before serves meanwhile; again after a while
 *
 * Invariant: works between deployments only; what is wrong is said in `restoring` for as long as it is; waits are counted in
 * monotonic time.
 */

import { backoffDelayMs } from '../base/backoff.js'
import { type AgentError, wrapError } from '../base/errors.js'
import { wireError } from './deployment-message.js'
import type { WireError } from '../protocol/deployment.js'
import type { Restoring, ServedModel, UpdatePorts } from './ports.js'
import { faultIn, restoreFiles } from './restore-files.js'
import { distrustOf, distrustOfKept } from './signed-serving.js'

/** What a look found out. */
export interface CareLook {
  /** When to look again. */
  readonly waitMs: number
  /** The broker has this version with other files: only another deployment brings it back. */
  readonly isRepublished: boolean
}

/** Between two looks at sizes and times of files. */
const lookPeriodMs = 60_000
/** Between two readings of every file, for what changes without leaving a trace. */
const readPeriodMs = 6 * 3_600_000
const retryBackoff = { firstMs: 10_000, capMs: 600_000 }
const foreverMs = 2 ** 30

export class ModelCare {
  readonly #ports: UpdatePorts
  #restoring: Restoring | undefined
  #failures = 0
  /** Monotonic times of the next look, and of the next reading of every file. */
  #lookAtMs = 0
  #readAtMs: number

  readonly #stopsUntrusted: boolean
  #distrust: WireError | undefined

  /** With `stopsUntrusted` a model serves only while a key that is trusted here has signed it. */
  constructor(ports: UpdatePorts, stopsUntrusted: boolean) {
    this.#ports = ports
    this.#stopsUntrusted = stopsUntrusted
    this.#readAtMs = ports.clock.monotonicMs() + readPeriodMs
  }

  get restoring(): Restoring | undefined {
    return this.#restoring
  }

  /** Why the active model would not be accepted today: no key that is trusted here has signed it. */
  get distrust(): WireError | undefined {
    return this.#distrust
  }

  /** The next look comes at once. */
  hurry(): void {
    this.#lookAtMs = 0
  }

  /** Serves the active model, or while that cannot be opened the one before. Never rejects. */
  async serve(): Promise<void> {
    const { active, previous } = this.#ports.slots.state
    if (active === undefined || (await this.#tryToServe(active)) || previous === undefined) return
    await this.#tryToServe(previous)
  }

  /** Looks whether the time has come, and puts right what is wrong; ends soon after `signal` aborts. Never rejects. */
  async look(signal: AbortSignal): Promise<CareLook> {
    const { slots, clock, random } = this.#ports
    const { active, previous } = slots.state
    if (active === undefined) {
      this.#note(undefined, undefined)
      return { waitMs: foreverMs, isRepublished: false }
    }
    const leftMs = this.#lookAtMs - clock.monotonicMs()
    if (leftMs > 0) return { waitMs: leftMs, isRepublished: false }
    const isReading = clock.monotonicMs() >= this.#readAtMs
    const outcome = await this.#careFor(active, isReading, signal)
    if (signal.aborted) return { waitMs: 0, isRepublished: false }
    if (outcome !== 'done') {
      if (previous !== undefined && this.#ports.serving.served === undefined)
        await this.#careFor(previous, isReading, signal)
      this.#lookAtMs = clock.monotonicMs() + backoffDelayMs(this.#failures++, retryBackoff, random)
    } else {
      this.#failures = 0
      this.#lookAtMs = clock.monotonicMs() + lookPeriodMs
      if (isReading) this.#readAtMs = clock.monotonicMs() + readPeriodMs
      if (previous !== undefined && isReading) await this.#keep(previous, signal)
    }
    return {
      waitMs: Math.max(0, this.#lookAtMs - clock.monotonicMs()),
      isRepublished: outcome === 'republished',
    }
  }

  /** Brings `model` into order and before the cameras. */
  async #careFor(
    model: ServedModel,
    isReading: boolean,
    signal: AbortSignal,
  ): Promise<'done' | 'failed' | 'republished'> {
    const { artefacts, serving } = this.#ports
    const isActive = model === this.#ports.slots.state.active
    try {
      await this.#requireTrusted(model, isActive, signal)
      const fault = await faultIn(this.#ports, model, (sha256) =>
        isReading ? artefacts.verify(sha256) : artefacts.prove(sha256),
      )
      let whole = model
      if (fault !== undefined) {
        if (isActive) this.#note(model, fault)
        const restored = await restoreFiles(this.#ports, model, signal)
        // The next deployment of it ends with other files in the slots, or says why not.
        if (restored === undefined) return 'republished'
        whole = restored
        this.#ports.logger.info({ model: model.model, version: model.version }, 'the files are right again')
      }
      if (serving.served?.deploymentId !== model.deploymentId) await serving.serve(whole)
      if (isActive) this.#note(model, undefined)
      return 'done'
    } catch (thrown) {
      const error = wrapError(thrown, 'inference.load_failed', `cannot serve ${model.model} ${model.version}`)
      if (isActive && !signal.aborted) this.#note(model, error)
      return 'failed'
    }
  }

  /** Tells that no trusted key has signed `model`; throws that, and takes it off the cameras, where such a model may not serve. */
  async #requireTrusted(model: ServedModel, isActive: boolean, signal: AbortSignal): Promise<void> {
    const { serving, reporting } = this.#ports
    const distrust = await distrustOf(this.#ports, model, signal)
    if (isActive && distrust?.message !== this.#distrust?.message) {
      this.#distrust = distrust === undefined ? undefined : wireError(distrust.code, distrust.message)
      reporting.serving(this.#restoring)
    }
    if (distrust === undefined || !this.#stopsUntrusted || signal.aborted) return
    if (serving.served?.deploymentId === model.deploymentId) await serving.serve(undefined)
    throw distrust
  }

  /** Fetches again what has gone bad of a model that does not serve. */
  async #keep(model: ServedModel, signal: AbortSignal): Promise<void> {
    const { artefacts, logger } = this.#ports
    try {
      if ((await faultIn(this.#ports, model, (sha256) => artefacts.verify(sha256))) === undefined) return
      await restoreFiles(this.#ports, model, signal)
    } catch (thrown) {
      const { code, message } = wrapError(thrown, 'internal.invariant_broken', 'cannot keep the model before')
      logger.warn({ code, reason: message }, 'a rollback would not work')
    }
  }

  async #tryToServe(model: ServedModel): Promise<boolean> {
    const isActive = model === this.#ports.slots.state.active
    try {
      const distrust = this.#stopsUntrusted ? await distrustOfKept(this.#ports, model) : undefined
      if (distrust !== undefined) throw distrust
      await this.#ports.serving.serve(model)
      if (isActive) this.#note(model, undefined)
      return true
    } catch (thrown) {
      const error = wrapError(thrown, 'inference.load_failed', `cannot serve ${model.model} ${model.version}`)
      this.#ports.logger.error(
        { model: model.model, version: model.version, code: error.code, reason: error.message },
        isActive ? 'the active model cannot be opened' : 'the model before cannot be opened either',
      )
      if (isActive) this.#note(model, error)
      return false
    }
  }

  #note(model: ServedModel | undefined, error: AgentError | undefined): void {
    const { reporting, clock, logger } = this.#ports
    const before = this.#restoring
    if (model === undefined || error === undefined) this.#restoring = undefined
    else {
      const isSame = before?.model.deploymentId === model.deploymentId
      this.#restoring = {
        model,
        sinceMs: isSame ? before.sinceMs : clock.wallMs(),
        error: wireError(error.code, error.message),
      }
    }
    if (before?.error.message === this.#restoring?.error.message) return
    if (error !== undefined)
      logger.warn({ code: error.code, reason: error.message }, 'what should serve cannot be proven right')
    reporting.serving(this.#restoring)
  }
}
