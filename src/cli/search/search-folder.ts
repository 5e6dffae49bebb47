/**
 * The record of a search on disk, beside the bundle it will become.
 * Invariant: every file is complete or absent, and a trial is recorded only after its model; so a search that is killed at any
 * moment loses the candidate it was at and nothing else.
 */

import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { removeLeftovers, writeFileAtomic } from '../../base/atomic-file.js'
import { AgentError, systemCodeOf } from '../../base/errors.js'
import type { Sha256 } from '../../base/sha256.js'
import { type Candidate, candidateId } from '../../compress/search/candidate.js'
import type { Trial } from '../../compress/search/trial.js'

/** A trial, and how long it took. */
export interface TrialRecord {
  readonly trial: Trial
  readonly durationMs: number
}

interface Start {
  readonly fingerprint: Sha256
  readonly startedAtMs: number
}

export class SearchFolder {
  /** When the search was first started: the age of its bundle. */
  readonly startedAtMs: number
  readonly #path: string
  readonly #records: TrialRecord[]

  private constructor(path: string, startedAtMs: number, records: TrialRecord[]) {
    this.#path = path
    this.startedAtMs = startedAtMs
    this.#records = records
  }

  /** Where the record of a bundle at `outFolder` lies. */
  static pathFor(outFolder: string): string {
    return `${outFolder.replace(/\/+$/, '')}.search`
  }

  /** Opens the record at `path`, or begins one. Throws `cli.argument_invalid` where it belongs to another search. */
  static async open(path: string, fingerprint: Sha256, nowMs: number): Promise<SearchFolder> {
    for (const part of ['models', 'trials']) {
      await mkdir(join(path, part), { recursive: true })
      await removeLeftovers(join(path, part))
    }
    await removeLeftovers(path)
    const start = (await readJson(join(path, 'search.json'))) as Start | undefined
    if (start === undefined) {
      const begun: Start = { fingerprint, startedAtMs: nowMs }
      await writeFileAtomic(join(path, 'search.json'), JSON.stringify(begun))
      return new SearchFolder(path, nowMs, [])
    }
    if (start.fingerprint !== fingerprint) {
      throw new AgentError(
        'cli.argument_invalid',
        `${path} is the record of another search, expected one with the same model, pictures and options`,
        { hint: 'delete it, or choose another --out' },
      )
    }
    const names = (await readdir(join(path, 'trials'))).filter((name) => name.endsWith('.json')).sort()
    const records = await Promise.all(
      names.map(async (name) => (await readJson(join(path, 'trials', name))) as TrialRecord),
    )
    return new SearchFolder(path, start.startedAtMs, records)
  }

  get records(): readonly TrialRecord[] {
    return this.#records
  }

  get trials(): readonly Trial[] {
    return this.#records.map(({ trial }) => trial)
  }

  /** Writes the model of a trial, if it has one, and then the trial. */
  async add(record: TrialRecord, model: Uint8Array | undefined): Promise<void> {
    const id = candidateId(record.trial.candidate)
    if (model !== undefined) await writeFileAtomic(this.#modelPath(record.trial.candidate), model)
    const number = String(this.#records.length).padStart(3, '0')
    await writeFileAtomic(join(this.#path, 'trials', `${number}-${id}.json`), JSON.stringify(record))
    this.#records.push(record)
  }

  /** The model of a trial that was measured. */
  async model(candidate: Candidate): Promise<Uint8Array> {
    return readFile(this.#modelPath(candidate))
  }

  /** A result that is worth keeping between two starts; undefined where it is not there yet. */
  async note(name: string): Promise<unknown> {
    return readJson(join(this.#path, `${name}.json`))
  }

  async keepNote(name: string, value: unknown): Promise<void> {
    await writeFileAtomic(join(this.#path, `${name}.json`), JSON.stringify(value))
  }

  /** Bytes that are worth keeping, such as a pruned float model. */
  async bytes(name: string): Promise<Uint8Array | undefined> {
    return readOrNothing(join(this.#path, name))
  }

  async keepBytes(name: string, bytes: Uint8Array): Promise<void> {
    await writeFileAtomic(join(this.#path, name), bytes)
  }

  /** Deletes the record: the bundle is complete. */
  async remove(): Promise<void> {
    await rm(this.#path, { recursive: true, force: true })
  }

  #modelPath(candidate: Candidate): string {
    return join(this.#path, 'models', `${candidateId(candidate)}.onnx`)
  }
}

async function readOrNothing(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path)
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return undefined
    throw thrown
  }
}

async function readJson(path: string): Promise<unknown> {
  const bytes = await readOrNothing(path)
  return bytes === undefined ? undefined : JSON.parse(Buffer.from(bytes).toString('utf8'))
}
