/**
 * The update service's trials, each in a process of its own.
 * Invariant: a variant that cannot be measured is a result with a code, not an exception; the serving model is not touched.
 */

import { createRequire } from 'node:module'
import { keptManifest } from '../../protocol/kept-manifest.js'
import type { Clock } from '../../base/clock.js'
import type { Config } from '../../config/config.js'
import { detectHardware, readMachineCondition } from '../../hardware/detect-hardware.js'
import type { HardwareProfile } from '../../hardware/hardware-profile.js'
import { inputSizeOf, type Manifest } from '../../protocol/manifest.js'
import type { Variant } from '../../protocol/manifest.js'
import type { AccuracyFigures } from '../../protocol/measurement.js'
import type { Store } from '../../store/store.js'
import type {
  ActiveFigures,
  DeviceProfile,
  ServedModel,
  TrialRequest,
  TrialResult,
  Trials,
} from '../../update/ports.js'
import { haveSameClasses } from '../../yolo/class-names.js'
import { type Engines, nameOfLibrary } from '../serving/engines.js'
import { sessionOptionsOf } from '../serving/open-served-model.js'
import { deviceProfileOf, type ProvenRunner } from './device-profile.js'
import { runTrialProcess, type TrialLimits } from './run-trial-process.js'

export interface TrialsOptions {
  readonly store: Store
  readonly selection: Config['selection']
  /** With the execution providers that work here. */
  readonly inference: Config['inference']
  readonly clock: Clock
  /** Runner commands that answered; none unless given. */
  readonly runners?: readonly ProvenRunner[]
  readonly engines: Engines
  /** Instead of the machine itself. */
  readonly hardwareRoot?: string
  readonly limits?: Partial<TrialLimits>
  /** The machine as it is now; detected once unless given. */
  readonly machine?: () => Promise<HardwareProfile>
}

/** Behind the serving model, whose frames must not wait for a trial. */
const niceness = 10
/** An engine build takes minutes. */
const engineStallMs = 30 * 60_000
/** Share of the memory that is available when a trial begins that it may take. */
const memoryShare = 0.8

const ortVersion = (
  createRequire(import.meta.url)('onnxruntime-node/package.json') as { readonly version: string }
).version

export function createTrials(given: TrialsOptions): Trials {
  const options = { ...given, machine: machineOf(given) }
  return {
    profile: () => profileOf(options),
    conditions: (variant) => conditionsOf(options, variant),
    measure: (request) => measure(options, request),
    measureActive: (manifest, active, signal) =>
      measureActive(options, { manifest, active, runs: options.selection.trialRuns }, signal),
  }
}

/** What the machine is does not change while the process lives, how it is does. */
function machineOf({ hardwareRoot: root }: TrialsOptions): () => Promise<HardwareProfile> {
  let detected: Promise<HardwareProfile> | undefined
  return async () => {
    detected ??= detectHardware(root === undefined ? {} : { root })
    return { ...(await detected), condition: await readMachineCondition(root) }
  }
}

function hardwareOf(options: TrialsOptions): Promise<HardwareProfile> {
  return (options.machine ?? machineOf(options))()
}

/** Read anew each time: free memory and power mode change. */
async function profileOf(options: TrialsOptions): Promise<DeviceProfile> {
  const { providers } = options.inference
  return deviceProfileOf(await hardwareOf(options), { providers, runners: options.runners ?? [] })
}

async function conditionsOf(options: TrialsOptions, variant: Variant): Promise<string> {
  const { board, cpu, condition } = await hardwareOf(options)
  const { providers, operators, intraOpThreads } = sessionOptionsOf(options.inference, variant)
  const { conf, iou, maxDet, providerOptions, providerLibraries } = options.inference
  return JSON.stringify({
    providers,
    providerOptions,
    providerLibraries,
    operators,
    threads: intraOpThreads,
    detection: [conf, iou, maxDet],
    runs: options.selection.trialRuns,
    runtime: await runtimeOf(options, variant),
    board: board.name,
    cpu: `${cpu.model} x ${cpu.cores}`,
    power: condition.powerMode ?? 'unknown',
    throttled: condition.throttled ?? false,
  })
}

async function runtimeOf(options: TrialsOptions, variant: Variant): Promise<string> {
  const runner = runnerOf(options, variant)
  if (runner !== undefined) return `${runner.runtime} ${runner.version}`
  const { library } = options.inference
  return library === '' ? `onnxruntime-node ${ortVersion}` : nameOfLibrary(library)
}

function runnerOf({ runners = [] }: TrialsOptions, { kind }: Variant): ProvenRunner | undefined {
  return runners.find((runner) => runner.kind === kind)
}

async function measure(options: TrialsOptions, request: TrialRequest): Promise<TrialResult> {
  const { manifest, variant, signal } = request
  return runTrial(options, {
    manifest,
    variant,
    goldenPath: goldenPathOf(options, manifest),
    runs: options.selection.trialRuns,
    signal,
    onProgress: (progress) => {
      request.onProgress(progress)
    },
  })
}

/** One model to measure: `variant` of `manifest`. */
interface Trial {
  readonly manifest: Manifest
  readonly variant: Variant
  /** The golden set to measure its accuracy on, where there is one. */
  readonly goldenPath: string | undefined
  /** Timed runs. */
  readonly runs: number
  readonly signal: AbortSignal
  readonly onProgress: (progress: number) => void
}

/** Measures in a process of its own; an engine that was built on the way is kept for whoever opens the model next. */
async function runTrial(
  options: TrialsOptions,
  { manifest, variant, goldenPath, runs, signal, onProgress }: Trial,
): Promise<TrialResult> {
  const { conf, iou, maxDet } = options.inference
  const { session, engine } = await options.engines.place(
    { ...sessionOptionsOf(options.inference, variant), niceness },
    variant.artefact.sha256,
    await hardwareOf(options),
  )
  const outcome = await runTrialProcess(
    {
      modelPath: options.store.blobs.pathOf(variant.artefact.sha256),
      goldenPath,
      session,
      runner: runnerOf(options, variant)?.command,
      expectedBuildMs: engine?.expectedBuildMs ?? 0,
      detection: { conf, iou, maxDet, multiLabel: false },
      runs,
      expected: { classCount: manifest.classNames.length, ...inputSizeOf(manifest, variant) },
    },
    { limits: await limitsOf(options), clock: options.clock, signal, onProgress },
  )
  if (outcome.state === 'failed') return outcome
  const { openMs, ...findings } = outcome.findings
  if (engine?.isBuilt === false) await engine.complete(openMs)
  return { state: 'measured', ...findings }
}

interface ActiveRequest {
  readonly manifest: Manifest
  readonly active: ServedModel
  /** Timed runs. */
  readonly runs: number
}

async function measureActive(
  options: TrialsOptions,
  { manifest, active, runs }: ActiveRequest,
  signal: AbortSignal,
): Promise<ActiveFigures | undefined> {
  const served = await servedVariant(options, active)
  if (served === undefined) return undefined
  // Labels are class indices: they mean the same to both models only when the names are the same.
  const isSameClasses = haveSameClasses(served.manifest.classNames, manifest.classNames)
  const result = await runTrial(options, {
    ...served,
    goldenPath: isSameClasses ? goldenPathOf(options, manifest) : undefined,
    runs,
    signal,
    onProgress: () => undefined,
  })
  return result.state === 'measured' ? result : undefined
}

function goldenPathOf({ store }: TrialsOptions, { golden }: Manifest): string | undefined {
  return golden === undefined ? undefined : store.blobs.pathOf(golden.artefact.sha256)
}

async function servedVariant(
  { store }: TrialsOptions,
  active: ServedModel,
): Promise<{ readonly manifest: Manifest; readonly variant: Variant } | undefined> {
  const bytes = await store.manifests.read(active.manifestSha256)
  if (bytes === undefined) return undefined
  const manifest = keptManifest(bytes)
  const variant = manifest.variants.find(({ id }) => id === active.variantId)
  return variant === undefined ? undefined : { manifest, variant }
}

async function limitsOf(options: TrialsOptions): Promise<TrialLimits> {
  const { condition } = await hardwareOf(options)
  const isCpuOnly = options.inference.providers.every((name) => name === 'cpu')
  return {
    stallMs: isCpuOnly ? options.selection.trialStallS * 1000 : engineStallMs,
    memoryBytes: condition.memoryAvailableBytes * memoryShare,
    ...options.limits,
  }
}

/** The active model on the golden set of its own bundle: what periodic reports tell. undefined without one. */
export async function servedAccuracy(
  options: TrialsOptions,
  active: ServedModel | undefined,
  signal: AbortSignal,
): Promise<AccuracyFigures | undefined> {
  const served = active === undefined ? undefined : await servedVariant(options, active)
  if (active === undefined || served?.manifest.golden === undefined) return undefined
  return (await measureActive(options, { manifest: served.manifest, active, runs: 0 }, signal))?.accuracy
}
