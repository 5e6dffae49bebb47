/**
 * A device for tests: the update service on a real store, with a network, trials and cameras in memory.
 * Invariant: whatever a port gives is checked as a real one would check it; a model is served only when every file of it
 * is in the store and intact.
 */

import { AgentError, type ErrorCode, messageOf } from '../../src/base/errors.js'
import { type Logger, silentLogger } from '../../src/base/logger.js'
import { seededRandom } from '../../src/base/random.js'
import { type Deployment, type DeploymentState, encodeDeployment } from '../../src/protocol/deployment.js'
import { encodeReport, type Report } from '../../src/protocol/report.js'
import type { Artefact } from '../../src/protocol/blob.js'
import type { FileSystem } from '../../src/store/fs.js'
import { openStore, type Store } from '../../src/store/store.js'
import type {
  ActiveFigures,
  ArtefactRequest,
  ModelSlots,
  Permission,
  ServedModel,
  Serving,
  SoakWindow,
  TrialRequest,
  TrialResult,
  UpdatePorts,
} from '../../src/update/ports.js'
import { Updater } from '../../src/update/updater.js'
import type { UpdaterOptions } from '../../src/update/updater-options.js'
import { TestClock } from './test-clock.js'
import { fleetDevice, type TestFleet } from './test-fleet.js'

/** How the world behaves; everything is well unless it says otherwise. */
export interface Behaviour {
  /** Called when the port that a state's work uses is used; what it throws the port throws. */
  onWork?: (state: DeploymentState, device: TestDevice) => Promise<void>
  measure?: (request: TrialRequest) => TrialResult
  active?: () => ActiveFigures
  conditions?: () => string
  waitForTrial?: Permission['waitForTrial']
  soak?: () => SoakWindow
  onJournal?: (from: DeploymentState | undefined, to: DeploymentState) => void
}

export const testOptions: UpdaterOptions = {
  device: fleetDevice,
  selection: { policy: 'balanced', latencyTargetMs: 100, mapFloor: 0, hysteresis: 0.1, trialsMax: 3 },
  acceptance: {
    expectedDropMax: 0.05,
    activeDropMax: 0.05,
    activeLatencyFactorMax: 3,
    soakMs: 2000,
    soakWindowMs: 1000,
    latencyFactorMax: 3,
    errorShareMax: 0.02,
    agreementMin: 0.5,
  },
  attemptsMax: 8,
  stopsUntrusted: false,
}

export function latencyOf(p95Ms: number): {
  count: number
  meanMs: number
  p50Ms: number
  p95Ms: number
  p99Ms: number
  maxMs: number
} {
  return { count: 30, meanMs: p95Ms, p50Ms: p95Ms, p95Ms, p99Ms: p95Ms, maxMs: p95Ms }
}

export function measuredAs(p95Ms: number, map: number): TrialResult {
  const accuracy = { map, map50: map, images: 4, dataset: 'golden' }
  return { state: 'measured', provider: 'cpu', latency: latencyOf(p95Ms), memoryBytes: 1e6, accuracy }
}

export function testError(code: ErrorCode): AgentError {
  return new AgentError(code, `the test wants ${code}`)
}

export interface DeviceSetting {
  readonly files: FileSystem
  readonly root: string
  readonly fleet: TestFleet
  readonly behaviour?: Behaviour
  readonly options?: UpdaterOptions
  readonly clock?: TestClock
  readonly logger?: Logger
  /** Whether the broker can be reached; it can unless given. */
  readonly isOnline?: () => boolean
  /** Waits for one turn of what may be going on; a real file system takes longer than one in memory. */
  readonly turn?: () => Promise<void>
}

const immediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const idleTurns = 10
/** Far beyond what any course takes; ends a test that would hang. */
const settleMsMax = 30_000

export class TestDevice {
  readonly store: Store
  readonly clock: TestClock
  readonly messages: Deployment[] = []
  readonly reports: Report[] = []
  /** Every model that was served, in order. */
  readonly served: (ServedModel | undefined)[] = []
  readonly fetchedChunks: string[] = []
  /** How often the device said that what serves has changed. */
  servingSaid = 0
  #updater: Updater | undefined
  #journaled: DeploymentState | undefined
  readonly #setting: DeviceSetting

  private constructor(setting: DeviceSetting, store: Store) {
    this.#setting = setting
    this.store = store
    this.clock = setting.clock ?? new TestClock()
  }

  static async start(setting: DeviceSetting): Promise<TestDevice> {
    const { files, root } = setting
    const quota = { limitBytes: 1e6, reserveBytes: 0 }
    const store = await openStore({ root, quota, outboxLimitBytes: 1e5, files })
    const device = new TestDevice(setting, store)
    device.#updater = await Updater.start(device.#ports(), setting.options ?? testOptions)
    return device
  }

  get updater(): Updater {
    return this.#updater!
  }

  get state(): DeploymentState {
    return this.#updater?.state ?? 'idle'
  }

  /** The model in front of the cameras. */
  get serving(): ServedModel | undefined {
    return this.served.at(-1)
  }

  get activeVersion(): string | undefined {
    return this.store.slots.state.active?.version
  }

  get errorCodes(): string[] {
    return [...new Set(this.messages.flatMap(({ error }) => (error === undefined ? [] : [error.code])))]
  }

  wish(envelope: Uint8Array | undefined, kind: 'device' | 'channel' = 'device'): void {
    this.updater.wish({ kind, name: kind === 'device' ? fleetDevice : 'stable' }, envelope)
  }

  /** Waits until the device is idle and stays so, or `isOver` says that it is dead. */
  async settle(isOver: () => boolean = () => false): Promise<void> {
    const { turn = immediate } = this.#setting
    const startMs = performance.now()
    for (let quiet = 0; quiet < idleTurns && !isOver();) {
      await turn()
      quiet = this.state === 'idle' ? quiet + 1 : 0
      if (performance.now() - startMs > settleMsMax)
        throw new AgentError('internal.invariant_broken', `no end of state ${this.state}`)
    }
  }

  /** Names of the complete files in the store. */
  fileNames(): Promise<string[]> {
    return this.#setting.files.list(this.store.layout.blobsFolder)
  }

  stop(): Promise<void> {
    return this.updater.stop()
  }

  #ports(): UpdatePorts {
    const { fleet, behaviour = {} } = this.#setting
    const { store } = this
    const work = async (): Promise<void> => behaviour.onWork?.(this.state, this)
    return {
      journal: {
        read: () => store.journal.read(),
        write: async (entry) => {
          const { state } = entry as { state: DeploymentState }
          behaviour.onJournal?.(this.#journaled, state)
          this.#journaled = state
          await store.journal.write(entry)
        },
      },
      slots: this.#slots(work),
      manifests: {
        fetch: async (_model, version) => {
          await work()
          this.#requireOnline()
          const bundle = fleet.bundle(version)
          if (bundle === undefined) throw testError('bundle.file_missing')
          return bundle.envelope
        },
        write: (bytes) => store.manifests.write(bytes),
        read: (sha256) => store.manifests.read(sha256),
      },
      artefacts: {
        obtain: async (request) => {
          await work()
          await this.#obtain(request)
        },
        verify: async (sha256) => {
          await work()
          return store.blobs.verify(sha256)
        },
        prove: (sha256) => store.blobs.prove(sha256),
        collectGarbage: async (alsoKeep) => {
          if (this.state === 'committed') await work()
          return store.collectGarbage(alsoKeep)
        },
      },
      trials: {
        profile: () =>
          Promise.resolve({
            kinds: ['onnx'],
            providers: ['cpu'],
            cpuFeatures: [],
            int8Targets: [],
            encodings: ['none', 'br'],
            memoryBytes: 1e9,
            chips: [],
            platformRuntimes: {},
          }),
        conditions: () => Promise.resolve(behaviour.conditions?.() ?? 'test'),
        measure: async (request) => {
          await work()
          return behaviour.measure?.(request) ?? measuredAs(request.variant.id === 'small' ? 20 : 40, 0.5)
        },
        measureActive: () => Promise.resolve(behaviour.active?.()),
      },
      measurements: store.measurements,
      serving: this.#servingPort(work),
      soakWatch: {
        end: () => Promise.resolve(),
        observe: async () => {
          await work()
          return behaviour.soak?.() ?? { frames: 100, errors: 0, latencyP95Ms: 20, agreement: 1 }
        },
      },
      permission: {
        waitForTrial: async (signal, onWait) => {
          await work()
          await behaviour.waitForTrial?.(signal, onWait)
        },
      },
      reporting: {
        deployment: (message) => {
          this.messages.push(message)
        },
        serving: () => {
          this.servingSaid++
        },
        report: (report) => {
          encodeReport(report)
          this.reports.push(report)
        },
        wishes: () => undefined,
      },
      trust: () => Promise.resolve(fleet.trust),
      clock: this.clock,
      random: seededRandom(1),
      logger: this.#setting.logger ?? silentLogger,
    }
  }

  /** A real device would wait; here it hears at once that nothing comes. */
  #requireOnline(): void {
    if (this.#setting.isOnline?.() === false) throw testError('network.request_timeout')
  }

  #servingPort(work: () => Promise<void>): Serving {
    const inFront = (): ServedModel | undefined => this.serving
    return {
      get served() {
        return inFront()
      },
      serve: async (model) => {
        await work()
        await this.#serve(model)
      },
    }
  }

  #slots(work: () => Promise<void>): ModelSlots {
    const { slots } = this.store
    return {
      get state() {
        return slots.state
      },
      setCandidate: (model) => slots.setCandidate(model),
      dropCandidate: async () => {
        if (this.state === 'refused') await work()
        await slots.dropCandidate()
      },
      promote: (id, nowMs) => slots.promote(id, nowMs),
      commit: () => slots.commit(),
      rollBack: () => slots.rollBack(),
      activatePrevious: (nowMs) => slots.activatePrevious(nowMs),
      renameManifest: (id, sha256) => slots.renameManifest(id, sha256),
    }
  }

  async #obtain(request: ArtefactRequest): Promise<void> {
    const { artefact } = request
    const { blobs } = this.store
    const { blob } = artefact
    await this.#fetch(artefact, request)
    await blobs.unpack(artefact).catch(async (thrown: unknown) => {
      if (await blobs.has(blob.sha256)) throw thrown
      await this.#fetch(artefact, request)
      await blobs.unpack(artefact)
    })
  }

  async #fetch({ sha256, blob }: Artefact, request: ArtefactRequest): Promise<void> {
    const { blobs } = this.store
    if (!(await blobs.has(sha256)) && !(await blobs.has(blob.sha256))) {
      this.#requireOnline()
      const bytes = this.#setting.fleet.blob(blob.sha256)
      if (bytes === undefined) throw testError('network.chunk_missing')
      const partial = await blobs.openPartial(blob)
      try {
        for (const index of partial.missingChunks()) {
          this.fetchedChunks.push(`${blob.sha256}/${index}`)
          const start = index * blob.chunkSizeBytes
          await partial.writeChunk(index, bytes.subarray(start, start + blob.chunkSizeBytes))
          request.onBytes(Math.min(bytes.byteLength, start + blob.chunkSizeBytes))
        }
        await partial.finish()
      } finally {
        await partial.close()
      }
    }
  }

  async #serve(model: ServedModel | undefined): Promise<void> {
    const problem = model === undefined ? undefined : await missingOf(this.store, model)
    if (problem !== undefined) throw new AgentError('integrity.digest_mismatch', problem)
    this.served.push(model)
  }
}

/** What `model` lacks in `store` to be served, or undefined. */
export async function missingOf(store: Store, model: ServedModel): Promise<string | undefined> {
  if ((await store.manifests.read(model.manifestSha256)) === undefined)
    return `manifest of ${model.version} is lost`
  for (const sha256 of model.blobSha256s) {
    const state = await store.blobs.verify(sha256)
    if (state !== 'intact') return `file ${sha256} of ${model.version} is ${state}`
  }
  return undefined
}

/** Everything that is wrong with an idle device. */
export async function problemsOf(device: TestDevice): Promise<string[]> {
  const { store } = device
  const { active, previous, beforeSwitch } = store.slots.state
  const problems: (string | undefined)[] = [...store.problems.map(({ message }) => message)]
  if (active === undefined) problems.push('no model is active')
  else problems.push(await missingOf(store, active))
  if (previous !== undefined) problems.push(await missingOf(store, previous))
  if (device.serving?.deploymentId !== active?.deploymentId)
    problems.push(`${device.serving?.version ?? 'nothing'} serves, ${active?.version ?? 'nothing'} is active`)
  if (beforeSwitch !== undefined) problems.push('a switch is neither committed nor rolled back')
  const journal = await store.journal.read()
  if (journal.state !== 'valid') problems.push(`the journal is ${journal.state}`)
  for (const message of device.messages) {
    try {
      encodeDeployment(message)
    } catch (thrown) {
      problems.push(messageOf(thrown))
    }
  }
  return problems.filter((problem) => problem !== undefined)
}
