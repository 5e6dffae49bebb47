/**
 * What the update service needs of others, each as small as its use. The agent plugs in store, transport, runtime and
 * pipeline. Every operation rejects with an AgentError; those with a signal reject or resolve soon after it aborts.
 */

import type { Clock } from '../base/clock.js'
import type { Sha256 } from '../base/sha256.js'
import type { Logger } from '../base/logger.js'
import type { Random } from '../base/random.js'
import type { Artefact } from '../protocol/blob.js'
import type { Deployment, WireError } from '../protocol/deployment.js'
import type { TrustPolicy } from '../protocol/envelope.js'
import type { Manifest, Variant } from '../protocol/manifest.js'
import type { AccuracyFigures, LatencyFigures } from '../protocol/measurement.js'
import type { Report } from '../protocol/report.js'

/** One record that survives everything; `write` is durable when it resolves. */
export interface Journal {
  read(): Promise<
    | { readonly state: 'valid'; readonly value: unknown }
    | { readonly state: 'absent' }
    | { readonly state: 'corrupt'; readonly reason: string }
  >
  write(value: unknown): Promise<void>
}

/** One deployed model. */
export interface ServedModel {
  readonly deploymentId: string
  readonly model: string
  readonly version: string
  /** The manifest's. */
  readonly sequence: number
  readonly variantId: string
  readonly manifestSha256: Sha256
  /** Every file that serving needs; the model first. */
  readonly blobSha256s: Sha256[]
  /** Wall time of its becoming active, milliseconds; 0 before. */
  readonly sinceMs: number
  /** Why this variant, in one sentence; absent in what older versions wrote. */
  readonly why?: string | undefined
}

export interface SlotsView {
  readonly active?: ServedModel | undefined
  readonly previous?: ServedModel | undefined
  readonly candidate?: ServedModel | undefined
  /** Present between switch and commit. */
  readonly beforeSwitch?:
    { readonly active?: ServedModel | undefined; readonly previous?: ServedModel | undefined } | undefined
  /** Per model the highest sequence committed. */
  readonly sequences: Readonly<Record<string, number>>
}

/** Which model is active; every change is atomic and may be repeated. */
export interface ModelSlots {
  readonly state: SlotsView
  setCandidate(model: ServedModel): Promise<void>
  dropCandidate(): Promise<void>
  promote(deploymentId: string, nowMs: number): Promise<void>
  commit(): Promise<void>
  rollBack(): Promise<void>
  /** Exchanges active and previous. Not between switch and commit. */
  activatePrevious(nowMs: number): Promise<void>
  /** Notes that the manifest of a deployment is kept under another digest. */
  renameManifest(deploymentId: string, manifestSha256: Sha256): Promise<void>
}

export interface Manifests {
  /** The signed manifest of a version, from the network. Waits while offline. */
  fetch(model: string, version: string, signal: AbortSignal): Promise<Uint8Array>
  /** Keeps it; returns the digest it is read by. */
  write(bytes: Uint8Array): Promise<Sha256>
  read(sha256: Sha256): Promise<Uint8Array | undefined>
}

export interface ArtefactRequest {
  readonly artefact: Artefact
  readonly signal: AbortSignal
  /** Called with the blob bytes that are here, in any rhythm. */
  onBytes(haveBytes: number): void
}

export interface Artefacts {
  /** Gets the decoded file into the store; nothing to do when it is there. Waits while offline. */
  obtain(request: ArtefactRequest): Promise<void>
  /** Reads a file once more; one that has gone bad is removed. */
  verify(sha256: Sha256): Promise<'intact' | 'absent' | 'corrupt'>
  /** The same, without reading a file again that was found intact and has not changed since. */
  prove(sha256: Sha256): Promise<'intact' | 'absent' | 'corrupt'>
  /** Deletes what neither a slot nor these need. */
  collectGarbage(alsoKeep: {
    readonly blobSha256s: readonly Sha256[]
    readonly manifestSha256s: readonly Sha256[]
  }): Promise<unknown>
}

/** What this machine's runtime has proven to be able to do. */
export interface DeviceProfile {
  /** Artefact kinds that can be loaded: `onnx`, ... */
  readonly kinds: readonly string[]
  /** Execution providers that were really opened, fastest first. */
  readonly providers: readonly string[]
  readonly cpuFeatures: readonly string[]
  /** int8 targets that run well here, best first. */
  readonly int8Targets: readonly string[]
  /** Blob encodings that can be undone. */
  readonly encodings: readonly string[]
  /** Memory that a model may take. */
  readonly memoryBytes: number
  /** SoC and accelerators: `t234`, `hailo8`. */
  readonly chips: readonly string[]
  /** Software for artefacts that are not ONNX: name to version. */
  readonly platformRuntimes: Readonly<Record<string, string>>
}

export interface TrialRequest {
  readonly manifest: Manifest
  readonly variant: Variant
  readonly signal: AbortSignal
  /** Part done, 0..1: engine builds take minutes. */
  onProgress(progress: number): void
}

/** What a fixed piece of work took while a model was measured, milliseconds: load of others slows it as it slows the model. */
export interface ReferenceFigures {
  /** Median time on a processor; absent where nobody counts it. */
  readonly cpuMs?: number
  readonly p50Ms: number
  readonly p95Ms: number
}

export type TrialResult =
  | {
      readonly state: 'measured'
      readonly provider: string
      readonly latency: LatencyFigures
      /** Time on a processor that a frame took, milliseconds; absent where nobody counts it. */
      readonly cpuMs?: number
      readonly reference?: ReferenceFigures
      readonly memoryBytes: number
      /** On the golden set, when the bundle has one. */
      readonly accuracy?: AccuracyFigures
    }
  | { readonly state: 'failed'; readonly error: WireError }

/** What the active model reaches when it is measured like a candidate. */
export interface ActiveFigures {
  readonly latency: LatencyFigures
  readonly cpuMs?: number
  readonly reference?: ReferenceFigures
  /** On the golden set of the candidate's bundle; absent when there is none, or its classes are others. */
  readonly accuracy?: AccuracyFigures
}

export interface Trials {
  profile(): Promise<DeviceProfile>
  /** Everything beside the files that a measurement depends on: provider, runtime version, board, power mode. */
  conditions(variant: Variant): Promise<string>
  /** Loads the variant where it may crash, warms it up, measures it. */
  measure(request: TrialRequest): Promise<TrialResult>
  /** The active model, measured beside a candidate of `manifest`; undefined when it cannot be measured. */
  measureActive(
    manifest: Manifest,
    active: ServedModel,
    signal: AbortSignal,
  ): Promise<ActiveFigures | undefined>
}

/** JSON values by key; losing them costs time only. */
export interface Measurements {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown): Promise<void>
}

/** The frame pipeline, as far as models go. */
export interface Serving {
  /** The model in front of the cameras; undefined while none serves, or the one that did has failed for good. */
  readonly served: ServedModel | undefined
  /** Serves `model` from the next frame on; resolves when it has answered one. undefined: none serves. */
  serve(model: ServedModel | undefined): Promise<void>
}

/** Figures of one stretch of serving. */
export interface SoakWindow {
  readonly frames: number
  readonly errors: number
  readonly latencyP95Ms: number
  /** Time on a processor that a frame took, milliseconds; absent where nobody counts it. */
  readonly cpuMs?: number
  /** Measured in the same window; absent where it could not be. */
  readonly reference?: ReferenceFigures
  /** Agreement with the previous model on the same frames, 0..1; absent when it was not compared. */
  readonly agreement?: number
}

export interface SoakWatch {
  /** Waits for one window of `windowMs` to pass and returns its figures. */
  observe(windowMs: number, signal: AbortSignal): Promise<SoakWindow>
  /** The watch is over: what it compared with may be closed. */
  end(): Promise<void>
}

/** A model that should serve and cannot be proven right. */
export interface Restoring {
  readonly model: ServedModel
  /** Wall time, milliseconds. */
  readonly sinceMs: number
  readonly error: WireError
}

export interface Reporting {
  deployment(deployment: Deployment): void
  /** Something else is known of the model that should serve; undefined: nothing is wrong with it. */
  serving(restoring: Restoring | undefined): void
  report(report: Report): void
  /** A wish was taken, released or refused. */
  wishes(): void
}

/** The owner's say when a device may change its model. */
export interface Permission {
  /**
   * Resolves when a trial may begin, or when `signal` aborts. Calls `onWait` with the milliseconds that are left when it
   * begins to wait, and again when the clock was set.
   */
  waitForTrial(signal: AbortSignal, onWait: (leftMs: number) => void): Promise<void>
}

export interface UpdatePorts {
  readonly journal: Journal
  readonly slots: ModelSlots
  readonly manifests: Manifests
  readonly artefacts: Artefacts
  readonly trials: Trials
  readonly measurements: Measurements
  readonly serving: Serving
  readonly soakWatch: SoakWatch
  readonly permission: Permission
  readonly reporting: Reporting
  /** Whom to believe, read anew for each envelope. Throws `trust.key_unreadable`. */
  trust(): Promise<TrustPolicy>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}
