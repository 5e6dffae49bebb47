/**
 * The update service: drives the deployment machine.
 *
 *     wish ---> machine: step(state, event) ---> effects: journal, outcome, report
 *                   ^                                              |
 *                   '--------- event --- work of the state <-------'
 *
 * Invariant: one deployment at a time; the journal is on disk before the work of a state begins; whatever a work throws
 * becomes an event, so that every deployment ends in idle.
 */

import { backoffDelayMs } from '../base/backoff.js'
import { type AgentError, messageOf, wrapError } from '../base/errors.js'
import type { DeploymentState, WireError } from '../protocol/deployment.js'
import type { DesiredTarget } from '../protocol/desired.js'
import type { RefusedWish } from '../protocol/reported.js'
import type { MeasuredVariant } from './choose-variant.js'
import { deploymentMessage, wireError, type WorkProgress } from './deployment-message.js'
import { type DeploymentRecord, emptyRecord } from './deployment-record.js'
import type { UpdateEvent } from './events.js'
import { HeardWishes } from './heard-wishes.js'
import { type JournalEntry, parseJournalEntry } from './journal-entry.js'
import { type Effect, effectsOf, type MachineState, step } from './machine.js'
import { ModelCare } from './model-care.js'
import { nextStep } from './next-wish.js'
import { type Outcome, outcomeOf, withOutcome } from './outcomes.js'
import type { Restoring, UpdatePorts } from './ports.js'
import { reconsiderationOf } from './reconsideration.js'
import { recover } from './recover.js'
import { RetryTimes } from './retry-times.js'
import { stateRow, type Work } from './states.js'
import type { UpdaterOptions } from './updater-options.js'
import { targetKey, type Wish } from './wishes.js'
import { awaitPermission } from './works/await-permission.js'
import { cleanUp, commit, rollBack } from './works/close-deployment.js'
import { download } from './works/download.js'
import { examineOffer } from './works/examine-offer.js'
import { switchModel } from './works/switch-model.js'
import { tryVariants } from './works/try-variants.js'
import { verify } from './works/verify.js'
import { watchSoak } from './works/watch-soak.js'
import type { WorkFunction } from './works/work.js'

const works: Readonly<Record<Work, WorkFunction>> = {
  'examine-offer': examineOffer,
  download: download,
  verify: verify,
  'await-permission': awaitPermission,
  'try-variants': tryVariants,
  'switch-model': switchModel,
  'watch-soak': watchSoak,
  commit: commit,
  'clean-up': cleanUp,
  'roll-back': rollBack,
}

/** How often the work of a closing state is repeated before the next start takes it up again. */
const closingAttemptsMax = 5
const closingBackoff = { firstMs: 500, capMs: 10_000 }
const progressPeriodMs = 500
const superseded: UpdateEvent = {
  kind: 'superseded',
  error: {
    code: 'deployment.wish_superseded',
    message: 'the wish was replaced, paused, narrowed or taken back',
  },
}
/** A process that lives this long does not count as a crash of its model. */
const settleMs = 60_000
/** Between two tries to end what could not be ended. */
const unendedPauseMs = 30_000

export class Updater {
  readonly #ports: UpdatePorts
  readonly #options: UpdaterOptions
  readonly #heard: HeardWishes
  readonly #stopping = new AbortController()
  readonly #care: ModelCare
  readonly #retries: RetryTimes
  #machine: MachineState
  #outcomes: readonly Outcome[]
  /** Aborts the work under way when a newer wish takes its place. */
  #work: AbortController | undefined
  #wake = new AbortController()
  #measured: MeasuredVariant[] = []
  #progress: WorkProgress | undefined
  #reportedAtMs = 0
  #closingAttempts = 0
  /** Starts in a row that ended early, this one included until it has settled. */
  #unsettledStarts: number
  /** Whether something has changed that no journal entry holds yet. */
  #isJournalStale = false
  /** A closing state whose work was given up. */
  #unended: MachineState | undefined
  #running: Promise<void> | undefined
  #takings: Promise<void> = Promise.resolve()
  /** The deployment whose wish was taken back. */
  #withdrawnId: string | undefined
  /** Why the variants of the serving version are to be measured anew. */
  #reconsidered: string | undefined

  private constructor(ports: UpdatePorts, options: UpdaterOptions, entry: JournalEntry | undefined) {
    this.#ports = ports
    this.#options = options
    this.#care = new ModelCare(ports, options.stopsUntrusted)
    this.#heard = new HeardWishes(ports, options.device, entry)
    this.#outcomes = entry?.outcomes ?? []
    this.#retries = new RetryTimes(ports.clock)
    const found = entry && sinceBoot(entry, options.bootId)
    this.#unsettledStarts = (found?.unsettledStarts ?? 0) + 1
    this.#machine = recover(found, ports.slots.state)
    // The model before begins with a clean count.
    if (this.deployment?.error?.code === 'deployment.crash_loop') this.#unsettledStarts = 1
  }

  /** Reads the journal, serves what was active, and goes on with what was interrupted. */
  static async start(ports: UpdatePorts, options: UpdaterOptions): Promise<Updater> {
    const read = await ports.journal.read()
    if (read.state === 'corrupt')
      ports.logger.error({ reason: read.reason }, 'the journal is lost; the slots decide')
    const entry = read.state === 'valid' ? parseJournalEntry(read.value) : undefined
    if (read.state === 'valid' && entry === undefined)
      ports.logger.error({}, 'the journal is of a form that is not known here; the slots decide')
    const updater = new Updater(ports, options, entry)
    await updater.#heard.restore()
    // Before the model is served: a model that ends the process has to be counted.
    await updater.#perform(effectsOf('idle', updater.state))
    // A switch that was not committed is undone first; its work serves the model then.
    if (updater.state !== 'rollingBack') await updater.#care.serve()
    updater.#running = updater.#run()
    void updater.#settle()
    return updater
  }

  get state(): DeploymentState {
    return this.#machine.state
  }

  /** The deployment under way, or the last one of this process. */
  get deployment(): DeploymentRecord | undefined {
    return this.#machine.deployment
  }

  /** The last wish that was not taken, until a later one for the same target is. */
  get refusedWish(): RefusedWish | undefined {
    return this.#heard.refused.last
  }

  /** Wishes that were not taken since the start. */
  get refusedWishCount(): number {
    return this.#heard.refused.count
  }

  /** Sequence of the wish that counts. */
  get desiredSequence(): number | undefined {
    return this.#heard.book.sequence
  }

  /** The model that should serve and cannot be proven right, and why; undefined while there is nothing to say. */
  get restoring(): Restoring | undefined {
    return this.#care.restoring
  }

  /** Why the active model would not be accepted today; undefined while a key that is trusted here has signed it. */
  get distrust(): WireError | undefined {
    return this.#care.distrust
  }

  /** Looks at once whether what should serve does: a model has failed while it served. */
  checkServing(): void {
    this.#care.hurry()
    this.#wake.abort()
  }

  /** How earlier deployments ended, the newest last. */
  get outcomes(): readonly Outcome[] {
    return this.#outcomes
  }

  /**
   * Takes a signed wish or release for `target`; undefined stands for an empty message. Never throws: what is not taken is
   * logged, reported and counted, and changes nothing.
   */
  wish(target: DesiredTarget, envelope: Uint8Array | undefined): void {
    this.#takings = this.#takings.then(() => this.#take(target, envelope))
  }

  /** Measures the variants of the serving version anew as soon as nothing else is to be done; `reason` is one sentence. */
  reconsider(reason: string): void {
    this.#reconsidered = reason
    this.#wake.abort()
  }

  /** Ends the work under way; the next start goes on with it. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#work?.abort()
    this.#wake.abort()
    await this.#takings
    await this.#running
    if (this.#unsettledStarts === 0) return
    this.#unsettledStarts = 0
    await this.#writeJournal()
  }

  /** After a while this start counts as good. */
  async #settle(): Promise<void> {
    await this.#ports.clock.sleep(settleMs, this.#stopping.signal)
    if (this.#isStopping()) return
    this.#unsettledStarts = 0
    this.#isJournalStale = true
    this.#wake.abort()
  }

  async #take(target: DesiredTarget, envelope: Uint8Array | undefined): Promise<void> {
    const taken = await this.#heard.take(target, envelope)
    if (taken === 'release') this.#noteRelease(target)
    this.#ports.reporting.wishes()
    if (taken === 'nothing') return
    this.#isJournalStale = true
    this.#care.hurry()
    if (this.#isUnwanted()) this.#work?.abort()
    this.#wake.abort()
  }

  #noteRelease(target: DesiredTarget): void {
    const { deployment } = this.#machine
    if (deployment !== undefined && targetKey(deployment.target) === targetKey(target))
      this.#withdrawnId = deployment.id
  }

  /** Whether another wish has taken the place of the deployment under way, or it was taken back. */
  #isUnwanted(): boolean {
    const { deployment } = this.#machine
    if (deployment === undefined) return false
    const nowMs = this.#ports.clock.wallMs()
    if (this.#heard.book.isUnwanted(deployment, nowMs)) return true
    return this.#withdrawnId === deployment.id && this.#heard.book.decide(nowMs).kind !== 'deploy'
  }

  async #run(): Promise<void> {
    while (!this.#isStopping()) {
      if (this.#machine.state === 'idle') await this.#awaitWish()
      else await this.#advance(await this.#doWork())
    }
  }

  async #awaitWish(): Promise<void> {
    const { clock, slots } = this.#ports
    if (this.#unended !== undefined || slots.state.beforeSwitch !== undefined) {
      await this.#endUnended()
      return
    }
    if (this.#isJournalStale) await this.#writeJournal()
    const nowMs = clock.wallMs()
    const next = nextStep(this.#heard.book.decide(nowMs), slots.state, this.#outcomes, (outcome) =>
      this.#retries.waitMs(outcome),
    )
    this.#ports.logger.debug(
      next.kind === 'deploy'
        ? { next: 'deploy', wish: next.wish.id, attempt: next.attempt }
        : { next: 'wait', waitMs: next.waitMs },
      'what is done next',
    )
    if (next.kind === 'deploy') {
      await this.#advance({ kind: 'offered', deployment: recordOf(next.wish, next.attempt) })
      return
    }
    const again = this.#takeReconsideration(nowMs)
    if (again !== undefined) {
      await this.#advance({ kind: 'offered', deployment: again })
      return
    }
    if (this.#isStopping() || this.#isJournalStale) return
    this.#wake = new AbortController()
    const { signal } = this.#wake
    const look = await this.#care.look(signal)
    if (look.isRepublished) this.#reconsidered = 'its version was published anew'
    else await clock.sleep(Math.min(next.waitMs, look.waitMs), signal)
  }

  #takeReconsideration(nowMs: number): DeploymentRecord | undefined {
    const reason = this.#reconsidered
    this.#reconsidered = undefined
    if (reason === undefined) return undefined
    return reconsiderationOf(this.#ports.slots.state, this.#options.device, reason, nowMs)
  }

  /** Takes up a closing state that was given up. Nothing else is deployed before. */
  async #endUnended(): Promise<void> {
    await this.#ports.clock.sleep(unendedPauseMs, this.#stopping.signal)
    if (this.#isStopping()) return
    this.#machine = this.#unended ?? recover(this.#entry(), this.#ports.slots.state)
    this.#unended = undefined
    await this.#perform(effectsOf('idle', this.state))
  }

  /** Does the work of the current state; what it throws becomes an event. */
  async #doWork(): Promise<UpdateEvent | undefined> {
    const { state, deployment } = this.#machine
    const { work, canBeStopped } = stateRow(state)
    if (work === undefined || deployment === undefined) return undefined
    if (canBeStopped && this.#isUnwanted()) return superseded
    const abort = new AbortController()
    if (canBeStopped) this.#work = abort
    this.#progress = undefined
    try {
      return await works[work]({
        ports: this.#ports,
        options: this.#options,
        deployment,
        signal: AbortSignal.any([abort.signal, this.#stopping.signal]),
        onProgress: (progress) => {
          this.#noteProgress(progress)
        },
        wasCommitted: this.#wasCommitted(deployment),
        measured: this.#measured,
      })
    } catch (thrown) {
      return await this.#eventOf(
        wrapError(thrown, 'internal.invariant_broken', `cannot ${work}`),
        abort.signal,
      )
    } finally {
      this.#work = undefined
    }
  }

  /** Whether the version of `deployment`, which a wish asked for, was committed here before. */
  #wasCommitted({ model, version, reconsidered }: DeploymentRecord): boolean {
    if (reconsidered !== undefined) return false
    const { previous } = this.#ports.slots.state
    return (
      (previous?.model === model && previous.version === version) ||
      this.#outcomes.some(
        (outcome) => outcome.result === 'committed' && outcome.model === model && outcome.version === version,
      )
    )
  }

  /** The event that a failed work makes; undefined when the agent stops, so that the journal stays as it is. */
  async #eventOf(error: AgentError, abort: AbortSignal): Promise<UpdateEvent | undefined> {
    const { state, deployment } = this.#machine
    if (this.#isStopping()) return undefined
    if (abort.aborted) return superseded
    this.#ports.logger.warn(
      {
        state,
        model: deployment?.model,
        version: deployment?.version,
        code: error.code,
        reason: error.message,
      },
      'deployment step failed',
    )
    if (!isClosing(state)) return { kind: 'failed', error: wireError(error.code, error.message) }
    this.#closingAttempts++
    if (this.#closingAttempts >= closingAttemptsMax) return { kind: 'abandoned' }
    const delayMs = backoffDelayMs(this.#closingAttempts - 1, closingBackoff, this.#ports.random)
    await this.#ports.clock.sleep(delayMs, this.#stopping.signal)
    return { kind: 'failed', error: wireError(error.code, error.message) }
  }

  /** Steps the machine by `event` and performs the effects. */
  async #advance(event: UpdateEvent | undefined): Promise<void> {
    if (event === undefined) return
    const before = this.#machine
    const { next, effects } = step(before, event)
    this.#machine = next
    this.#progress = undefined
    if (event.kind === 'offered') this.#measured = []
    if (next.state !== before.state) this.#closingAttempts = 0
    if (event.kind === 'abandoned') this.#unended = before
    this.#ports.logger.info(
      { from: before.state, to: next.state, event: event.kind, deployment: next.deployment?.id },
      'deployment',
    )
    if ((await this.#perform(effects, before.state)) || next.state === before.state) return
    // The journal could not be written, so the state is not entered: from where we were, the way back.
    this.#machine = before
    if (before.state === 'idle') await this.#ports.clock.sleep(closingBackoff.capMs, this.#stopping.signal)
    else await this.#advance(journalFailure(next.state))
  }

  /** Returns false when the journal of a state that needs it could not be written. */
  async #perform(effects: readonly Effect[], from: DeploymentState = 'idle'): Promise<boolean> {
    for (const effect of effects) {
      if (effect.kind === 'write-journal' && !(await this.#writeJournal())) return false
      if (effect.kind === 'record-outcome') this.#recordOutcome(from)
      if (effect.kind === 'report') this.#report()
    }
    return true
  }

  #entry(): JournalEntry {
    const { state, deployment } = this.#machine
    return {
      state,
      ...(deployment !== undefined && { deployment }),
      outcomes: this.#outcomes,
      ...this.#heard.kept,
      unsettledStarts: this.#unsettledStarts,
      ...(this.#options.bootId !== undefined && { bootId: this.#options.bootId }),
    }
  }

  async #writeJournal(): Promise<boolean> {
    const { state } = this.#machine
    this.#isJournalStale = false
    try {
      await this.#ports.journal.write(this.#entry())
      return true
    } catch (thrown) {
      this.#ports.logger.error({ state, reason: messageOf(thrown) }, 'the journal could not be written')
      return !stateRow(state).needsJournal
    }
  }

  #recordOutcome(from: DeploymentState): void {
    const { deployment } = this.#machine
    if (deployment === undefined || (deployment.reconsidered !== undefined && from !== 'committed')) return
    const outcome = outcomeOf(deployment, from, {
      attemptsMax: this.#options.attemptsMax,
      nowMs: this.#ports.clock.wallMs(),
      random: this.#ports.random,
    })
    this.#outcomes = withOutcome(this.#outcomes, outcome)
  }

  #noteProgress(progress: WorkProgress): void {
    const isFirstEta = progress.etaMs !== undefined && this.#progress?.etaMs === undefined
    this.#progress = progress
    const nowMs = this.#ports.clock.monotonicMs()
    if (nowMs - this.#reportedAtMs < progressPeriodMs && !isFirstEta) return
    this.#report()
  }

  #report(): void {
    const { state, deployment } = this.#machine
    if (deployment === undefined) return
    this.#reportedAtMs = this.#ports.clock.monotonicMs()
    const nowMs = this.#ports.clock.wallMs()
    this.#ports.reporting.deployment(deploymentMessage(state, deployment, this.#progress, nowMs))
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted
  }
}

/** `entry` without the starts that a power cut or a reboot ended: no crash of the process did. */
function sinceBoot(entry: JournalEntry, bootId: string | undefined): JournalEntry {
  const isAnotherBoot = entry.bootId !== undefined && bootId !== undefined && entry.bootId !== bootId
  return isAnotherBoot ? { ...entry, unsettledStarts: 0 } : entry
}

function isClosing(state: DeploymentState): boolean {
  return state === 'committed' || state === 'refused' || state === 'rollingBack'
}

function journalFailure(state: DeploymentState): UpdateEvent {
  const problem = `the journal could not be written in state ${state}`
  return { kind: 'failed', error: wireError('resource.file_unwritable', problem) }
}

function recordOf({ id, desired }: Wish, attempt: number): DeploymentRecord {
  const { target, model, version, allowDowngrade = false } = desired
  return { ...emptyRecord(), id, target, model, version, allowDowngrade, attempt }
}
