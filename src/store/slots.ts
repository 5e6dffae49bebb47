/**
 * Which model serves, which served before, which is on trial.
 * Invariant: the three change in one atomic write; from the switch until the commit the state before the switch is
 * kept, so a roll back restores exactly what was there, whatever else was lost.
 */

import * as v from 'valibot'
import { isSha256, type Sha256 } from '../base/sha256.js'
import { AgentError } from '../base/errors.js'
import { DoubleRecord } from './double-record.js'
import type { FileSystem } from './fs.js'
import type { StoreLayout } from './layout.js'
import { Turns } from './turns.js'

const sha256Schema = v.pipe(v.string(), v.check(isSha256))

const pointerSchema = v.object({
  deploymentId: v.string(),
  model: v.string(),
  version: v.string(),
  sequence: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  variantId: v.string(),
  /** Digest of the manifest as stored. */
  manifestSha256: sha256Schema,
  /** Every blob that serving this model needs; the model file first. */
  blobSha256s: v.array(sha256Schema),
  /** Wall time of the moment it became active, milliseconds; 0 for a candidate. */
  sinceMs: v.number(),
  /** Why this variant, in one sentence. */
  why: v.optional(v.string()),
})

const slotsSchema = v.object({
  active: v.optional(pointerSchema),
  previous: v.optional(pointerSchema),
  candidate: v.optional(pointerSchema),
  /** Present between switch and commit: what a roll back restores. */
  beforeSwitch: v.optional(
    v.object({ active: v.optional(pointerSchema), previous: v.optional(pointerSchema) }),
  ),
  /** Per model name the highest sequence that was committed: the floor for the next. */
  sequences: v.record(v.string(), v.number()),
})

/** One deployed model: which variant of which manifest, by which deployment. */
export type ModelPointer = v.InferOutput<typeof pointerSchema>
export type SlotsState = v.InferOutput<typeof slotsSchema>

const NOTHING: SlotsState = { sequences: {} }

function withoutUndefined(state: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(state).filter(([, value]) => value !== undefined))
}

export class SlotStore {
  readonly #record: DoubleRecord
  readonly #turns = new Turns()
  #state: SlotsState | undefined
  #isCertain = true

  constructor(files: FileSystem, layout: StoreLayout) {
    this.#record = new DoubleRecord(files, layout.state('slots'), { kind: 'slots', format: 1 })
  }

  /**
   * Reads the slots. Returns what is wrong with them (`store.state_corrupt`), or undefined; with corrupt slots no
   * model is active and everything is fetched again.
   */
  async load(): Promise<AgentError | undefined> {
    const read = await this.#record.read()
    if (read.state === 'absent') {
      this.#state = NOTHING
      return undefined
    }
    const parsed = read.state === 'valid' ? v.safeParse(slotsSchema, read.value) : undefined
    if (parsed?.success === true) {
      this.#state = parsed.output
      return undefined
    }
    this.#state = NOTHING
    this.#isCertain = false
    const reason = read.state === 'corrupt' ? read.reason : 'content has another shape'
    return new AgentError(
      'store.state_corrupt',
      `cannot read which model is active: ${reason}, expected intact slots`,
    )
  }

  /** The slots as of the last write. `load` comes first. */
  get state(): SlotsState {
    return this.#state ?? NOTHING
  }

  /** False after corrupt slots were read and until they are written: then nothing may be deleted as unused. */
  get isCertain(): boolean {
    return this.#isCertain
  }

  /** Notes `pointer` as the candidate: the model that is on trial. */
  async setCandidate(pointer: ModelPointer): Promise<void> {
    await this.#change((state) => ({ ...state, candidate: pointer }))
  }

  /** Takes the candidate off. Does nothing when there is none. */
  async dropCandidate(): Promise<void> {
    await this.#change((state) => ({ ...state, candidate: undefined }))
  }

  /** Makes the candidate of `deploymentId` active, to be committed or rolled back. Repeating it changes nothing. */
  async promote(deploymentId: string, nowMs: number): Promise<void> {
    await this.#change(({ candidate, ...state }) => {
      if (state.active?.deploymentId === deploymentId && state.beforeSwitch !== undefined) return state
      if (candidate?.deploymentId !== deploymentId) {
        throw new AgentError(
          'store.state_corrupt',
          `cannot switch to deployment ${deploymentId}: the candidate is ${candidate?.deploymentId ?? 'absent'}, expected that deployment`,
        )
      }
      return {
        ...state,
        active: { ...candidate, sinceMs: nowMs },
        previous: state.active,
        beforeSwitch: withoutUndefined({ active: state.active, previous: state.previous }),
      }
    })
  }

  /** Keeps the active model for good and raises the sequence floor. Repeating it changes nothing. */
  async commit(): Promise<void> {
    await this.#change((state) => {
      const { active, sequences } = state
      if (active === undefined) return state
      const known = Object.hasOwn(sequences, active.model) ? sequences[active.model]! : 0
      const floor = Math.max(active.sequence, known)
      return { ...state, beforeSwitch: undefined, sequences: { ...sequences, [active.model]: floor } }
    })
  }

  /** Restores what was active before the switch and drops the candidate. Changes nothing after a commit. */
  async rollBack(): Promise<void> {
    await this.#change(({ beforeSwitch, ...state }) => {
      const { active, previous } = beforeSwitch ?? state
      return { ...state, active, previous, candidate: undefined }
    })
  }

  /** Exchanges active and previous, by a person's wish. Throws `bundle.file_missing` when there is no previous model. */
  async activatePrevious(nowMs: number): Promise<void> {
    await this.#change((state) => {
      if (state.previous === undefined) {
        throw new AgentError('bundle.file_missing', 'cannot go back to the previous model: there is none')
      }
      return { ...state, active: { ...state.previous, sinceMs: nowMs }, previous: state.active }
    })
  }

  /** Notes that the manifest of deployment `deploymentId` is kept under another digest: it was fetched again. */
  async renameManifest(deploymentId: string, manifestSha256: Sha256): Promise<void> {
    const renamed = (pointer: ModelPointer | undefined): ModelPointer | undefined =>
      pointer?.deploymentId === deploymentId ? { ...pointer, manifestSha256 } : pointer
    await this.#change((state) => ({
      ...state,
      active: renamed(state.active),
      previous: renamed(state.previous),
    }))
  }

  async #change(step: (state: SlotsState) => Record<string, unknown>): Promise<void> {
    await this.#turns.run(async () => {
      const next = v.parse(slotsSchema, withoutUndefined(step(this.state)))
      if (JSON.stringify(next) === JSON.stringify(this.state)) return
      await this.#record.write(next)
      this.#state = next
      this.#isCertain = true
    })
  }
}
