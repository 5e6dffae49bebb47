import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import sharp from 'sharp'
import t, { type Test } from 'tap'
import { inferenceWith } from '../../../src/agent/runtimes/installed-runtimes.js'
import { Engines, type EngineSession } from '../../../src/agent/serving/engines.js'
import { createTrials } from '../../../src/agent/trial/trials.js'
import { sha256Of } from '../../../src/base/digest.js'
import type { Sha256 } from '../../../src/base/sha256.js'
import { systemClock } from '../../../src/base/clock.js'
import { silentLogger } from '../../../src/base/logger.js'
import { loadConfig } from '../../../src/config/load.js'
import { cutBlob } from '../../../src/protocol/cut-blob.js'
import { sealEnvelope } from '../../../src/protocol/envelope.js'
import { encodeGolden } from '../../../src/protocol/golden.js'
import {
  encodeManifest,
  type Manifest,
  manifestPayloadType,
  type Variant,
} from '../../../src/protocol/manifest.js'
import { EngineCache } from '../../../src/runtime/engine-cache.js'
import type { SessionOptions } from '../../../src/runtime/session-options.js'
import { openStore, type Store } from '../../../src/store/store.js'
import type { ServedModel, TrialResult, Trials } from '../../../src/update/ports.js'
import { layOutBoard } from '../../helpers/boards.js'
import { projectRoot } from '../../helpers/paths.js'
import { tinyDetector } from '../../helpers/tiny-detector.js'

const size = 32
const abacus = {
  kind: 'hef',
  runtime: 'abacus',
  version: '2.1.0',
  command: [
    process.execPath,
    join(projectRoot, 'dist', 'test', 'helpers', 'reference-runner.js'),
    'abacus',
    '2.1.0',
  ],
}

interface Bench {
  readonly store: Store
  readonly trials: Trials
  /** A manifest whose only variant is `bytes`, with a golden picture that is `brightness` all over. */
  readonly publish: (
    bytes: Uint8Array,
    brightness: number,
    classNames?: readonly string[],
  ) => Promise<Manifest>
}

/** Engines of a processor: it builds none, so only their places are looked at. */
class ProcessorEngines extends Engines {
  readonly #cache: EngineCache

  constructor(folder: string) {
    super(folder, silentLogger)
    this.#cache = new EngineCache(folder)
  }

  override async place(session: SessionOptions, modelSha256: Sha256): Promise<EngineSession> {
    const identity = {
      modelSha256,
      runtime: 'r',
      provider: 'cpu',
      providerVersion: '1',
      board: 'b',
      flags: {},
    }
    const prepared = await this.#cache.prepare(identity)
    return { session, engine: prepared.state === 'ready' ? prepared.folder : undefined }
  }
}

async function bench(t: Test, hardwareRoot?: string, ownEngines?: Engines): Promise<Bench> {
  const store = await openStore({
    root: join(hardwareRoot ?? t.testdir(), 'store'),
    quota: { limitBytes: 1e9, reserveBytes: 0 },
    outboxLimitBytes: 1e6,
  })
  const { selection, inference } = loadConfig({ env: {} })
  const trials = createTrials({
    store,
    selection: { ...selection, trialRuns: 5 },
    inference: inferenceWith(inference, []),
    clock: systemClock,
    engines: ownEngines ?? new Engines(join(dirname(store.layout.blobsFolder), 'engines'), silentLogger),
    runners: [abacus],
    ...(hardwareRoot !== undefined && { hardwareRoot }),
  })
  return { store, trials, publish }

  async function publish(
    bytes: Uint8Array,
    brightness: number,
    classNames: readonly string[] = ['thing'],
  ): Promise<Manifest> {
    const background = { r: brightness, g: brightness, b: brightness }
    const picture = await sharp({ create: { width: size, height: size, channels: 3, background } })
      .png()
      .toBuffer()
    const objects = [{ classIndex: 0, x1: 12, y1: 12, x2: 20, y2: 20, area: 64, crowd: false }]
    const golden = encodeGolden({ dataset: 'golden', pictures: [{ name: 'a.png', bytes: picture, objects }] })
    return {
      model: 'm',
      version: '1.0.0',
      sequence: 1,
      createdAt: '2026-01-01T00:00:00Z',
      task: 'detect',
      classNames,
      input: { width: size, height: size },
      variants: [
        {
          id: 'v',
          kind: 'onnx',
          artefact: await artefactOf(bytes),
          precision: 'fp32',
          form: 'export',
          macs: 1,
          parameters: 1,
          providers: [],
          cpuNeeds: [],
          cpuPrefers: [],
        },
      ],
      golden: { artefact: await artefactOf(golden), images: 1 },
      source: { sha256: sha256Of(bytes), toolVersion: '1' },
    }
  }

  async function artefactOf(bytes: Uint8Array): Promise<Variant['artefact']> {
    const sha256 = await store.blobs.write(bytes)
    return { sha256, sizeBytes: bytes.byteLength, encoding: 'none', blob: cutBlob(bytes) }
  }
}

function measure(trials: Trials, manifest: Manifest): Promise<TrialResult> {
  const signal = new AbortController().signal
  return trials.measure({ manifest, variant: manifest.variants[0]!, signal, onProgress: () => undefined })
}

async function servedOf(store: Store, manifest: Manifest): Promise<ServedModel> {
  const manifestSha256 = await store.manifests.write(
    sealEnvelope(manifestPayloadType, encodeManifest(manifest), []),
  )
  return {
    deploymentId: 'd',
    model: manifest.model,
    version: manifest.version,
    sequence: manifest.sequence,
    variantId: 'v',
    manifestSha256,
    blobSha256s: [manifest.variants[0]!.artefact.sha256],
    sinceMs: 0,
  }
}

t.test(
  'a variant is measured on this machine, with the accuracy on the golden set of its bundle',
  async (t) => {
    const { trials, publish } = await bench(t)
    t.match(await measure(trials, await publish(tinyDetector({ size }).bytes, 255)), {
      state: 'measured',
      provider: 'cpu',
      latency: { count: 5 },
      accuracy: { images: 1, dataset: 'golden' },
    })
  },
)

t.test('a variant that was lost from the store is a result with a code', async (t) => {
  const { store, trials, publish } = await bench(t)
  const manifest = await publish(tinyDetector({ size }).bytes, 255)
  await store.blobs.remove(manifest.variants[0]!.artefact.sha256)
  t.match(await measure(trials, manifest), { state: 'failed', error: { code: 'deployment.trial_failed' } })
})

t.test('the active model is measured on the new golden set, if its classes are the same', async (t) => {
  const { store, trials, publish } = await bench(t)
  const signal = new AbortController().signal
  const active = await servedOf(store, await publish(tinyDetector({ size }).bytes, 255))
  const next = await publish(tinyDetector({ size, divisor: 2 }).bytes, 200)
  t.match(await trials.measureActive(next, active, signal), {
    accuracy: { dataset: 'golden', images: 1 },
    latency: { count: 5 },
  })
  const renamed = await publish(tinyDetector({ size, divisor: 2 }).bytes, 200, ['another'])
  t.equal((await trials.measureActive(renamed, active, signal))?.accuracy, undefined)
  const { golden, ...withoutGolden } = next
  t.ok(golden)
  const timed = await trials.measureActive(withoutGolden, active, signal)
  t.match(timed, { latency: { count: 5 }, accuracy: undefined })
})

t.test('an engine that a trial has built is whole afterwards, of the active model as well', async (t) => {
  const engines = new ProcessorEngines(join(t.testdir(), 'engines'))
  const { store, trials, publish } = await bench(t, undefined, engines)
  const isBuilt = async (manifest: Manifest): Promise<boolean | undefined> =>
    (await engines.place({}, manifest.variants[0]!.artefact.sha256)).engine?.isBuilt
  const serving = await publish(tinyDetector({ size }).bytes, 255)
  const next = await publish(tinyDetector({ size, divisor: 2 }).bytes, 200)
  t.match(await measure(trials, next), { state: 'measured' })
  t.equal(await isBuilt(next), true)
  t.equal(await isBuilt(serving), false)
  t.ok(await trials.measureActive(next, await servedOf(store, serving), new AbortController().signal))
  t.equal(await isBuilt(serving), true)
  const broken = await publish(Buffer.from('no model'), 255)
  t.match(await measure(trials, broken), { state: 'failed' })
  t.equal(await isBuilt(broken), false, 'a build that failed is begun anew')
})

t.test('the profile and the conditions are those of the board', async (t) => {
  const orin = layOutBoard('jetson-orin-nano', t.testdir())
  const { trials, publish } = await bench(t, orin)
  t.match(await trials.profile(), {
    kinds: ['onnx', 'hef'],
    providers: ['cpu'],
    int8Targets: ['arm64', 'qdq'],
    chips: ['t234', 'nvidiaampereorin'],
    cpuFeatures: ['asimd', 'asimdhp', 'asimddp'],
    platformRuntimes: { tensorrt: '10.3.0', abacus: '2.1.0' },
  })
  const [variant] = (await publish(tinyDetector({ size }).bytes, 255)).variants
  const before = await trials.conditions(variant!)
  t.equal(await trials.conditions(variant!), before, 'the same conditions have the same name')
  writeFileSync(join(orin, 'var/lib/nvpmodel/status'), 'pmode:0002\n')
  t.not(await trials.conditions(variant!), before, 'another power mode is another condition')
})

t.test('a file of another kind is measured behind its runner', async (t) => {
  const { trials, publish } = await bench(t)
  const manifest = await publish(Buffer.from('{"kind":"brightness"}'), 255)
  const platform = { chip: 'abacus', runtime: 'abacus', runtimeVersion: '2.1.0' }
  const variants = manifest.variants.map((variant) => ({ ...variant, kind: 'hef', platform }))
  const found = await measure(trials, { ...manifest, variants })
  t.match(found, { state: 'measured', provider: 'abacus', accuracy: { images: 1 } })
  t.ok(found.state === 'measured' && (found.accuracy?.map ?? 0) > 0.99)
  const broken = await publish(Buffer.from('{"kind":"crash"}'), 255)
  t.match(
    await measure(trials, {
      ...broken,
      variants: broken.variants.map((each) => ({ ...each, kind: 'hef', platform })),
    }),
    {
      state: 'failed',
      error: { code: 'inference.worker_died', message: /the device fell off the bus/ },
    },
  )
})
