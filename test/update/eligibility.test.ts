import t from 'tap'
import type { Variant } from '../../src/protocol/manifest.js'
import { eligibleVariants } from '../../src/update/eligibility.js'
import type { DeviceProfile } from '../../src/update/ports.js'
import { boardBundle } from '../helpers/board-bundle.js'
import { exampleVariant } from '../helpers/test-fleet.js'

const policy = { policy: 'balanced', latencyTargetMs: 100, mapFloor: 0, hysteresis: 0.1 } as const
const [{ artefact }] = boardBundle as [Variant]

const machine: DeviceProfile = {
  kinds: ['onnx', 'hef'],
  providers: ['cpu'],
  cpuFeatures: ['avx2', 'avxvnni'],
  int8Targets: ['x64-vnni', 'qdq'],
  encodings: ['none', 'br'],
  memoryBytes: 1e9,
  chips: ['hailo8'],
  platformRuntimes: { hailort: '4.20.0' },
}

/** Why a variant with `changes` cannot run on the machine with `profile`; undefined where it can. */
function reasonOf(changes: Partial<Variant>, profile: Partial<DeviceProfile> = {}): string | undefined {
  const { variants, discarded } = eligibleVariants(
    [exampleVariant('one', artefact, changes)],
    { ...machine, ...profile },
    policy,
  )
  t.equal(variants.length + discarded.length, 1, 'in the list or discarded')
  return discarded[0]?.reason
}

/** Ids in the order of the guess. */
function orderOf(variants: readonly Variant[], profile: Partial<DeviceProfile> = {}): readonly string[] {
  return eligibleVariants(variants, { ...machine, ...profile }, policy).variants.map(({ id }) => id)
}

t.test('what cannot run here is refused with the reason', (t) => {
  const cases: readonly (readonly [Partial<Variant>, string])[] = [
    [{ kind: 'engine' }, 'engine files cannot be loaded here'],
    [{ artefact: { ...artefact, encoding: 'zstd' } }, 'encoding zstd is not known here'],
    [{ form: 'sparse' }, 'outputs of the form sparse are not known here'],
    [{ providers: ['tensorrt', 'cuda'] }, 'needs tensorrt or cuda; proven here: cpu'],
    [{ cpuNeeds: ['avx2', 'avx512f'] }, 'needs CPU instructions avx512f'],
    [{ cpuNeeds: ['avx512_vnni|amx'] }, 'needs CPU instructions avx512_vnni or amx'],
    [{ int8Target: 'arm64' }, 'int8 for arm64; fitting here: x64-vnni, qdq'],
    [{ kind: 'hef', platform: { chip: 'hailo10' } }, 'made for hailo10, here is hailo8'],
    [{ kind: 'hef', platform: { runtime: 'rknn' } }, 'needs rknn'],
    [
      { kind: 'hef', platform: { runtime: 'hailort', runtimeVersion: '4.17.0' } },
      'needs hailort 4.17.0, here is 4.20.0',
    ],
  ]
  for (const [changes, reason] of cases) t.equal(reasonOf(changes), reason)
  t.equal(reasonOf({ int8Target: 'arm64' }, { int8Targets: [] }), 'int8 for arm64; fitting here: none')
  t.equal(
    reasonOf({ kind: 'hef', platform: { chip: 'hailo10' } }, { chips: [] }),
    'made for hailo10, here is no chip of that name',
  )
  t.end()
})

t.test('what can run here is not', (t) => {
  for (const changes of [
    {},
    { artefact: { ...artefact, encoding: 'br' } },
    { providers: ['cuda', 'cpu'] },
    { cpuNeeds: ['avx512_vnni|avxvnni', 'avx2'] },
    { int8Target: 'qdq' },
    { kind: 'hef', int8Target: 'arm64', platform: { chip: 'hailo8' } },
    { kind: 'hef', platform: { runtime: 'hailort' } },
    { kind: 'hef', platform: { runtime: 'hailort', runtimeVersion: '4.20.0' } },
  ])
    t.equal(reasonOf(changes), undefined, JSON.stringify(changes))
  t.end()
})

t.test('a variant takes three times its file and 64 MiB of memory, and not a byte more is asked for', (t) => {
  const needs = { artefact: { ...artefact, sizeBytes: 100_000_000 } }
  const neededBytes = 3 * 100_000_000 + 64 * 1024 * 1024
  t.equal(reasonOf(needs, { memoryBytes: neededBytes }), undefined)
  t.equal(reasonOf(needs, { memoryBytes: neededBytes - 1 }), 'needs about 367 MB of memory, 367 MB are free')
  t.equal(reasonOf(needs, { memoryBytes: 50_000_000 }), 'needs about 367 MB of memory, 50 MB are free')
  t.end()
})

t.test('the guess: formats that the machine likes first, then fewer multiply-accumulates', (t) => {
  const [float, best, other] = [
    exampleVariant('float', artefact, { macs: 1e9 }),
    exampleVariant('best', artefact, { precision: 'int8', int8Target: 'x64-vnni' }),
    exampleVariant('other', artefact, { precision: 'int8', int8Target: 'qdq' }),
  ]
  const chip = exampleVariant('chip', artefact, { kind: 'hef', platform: { chip: 'hailo8' } })
  t.same(orderOf([float, other, best, chip]), ['chip', 'best', 'other', 'float'])
  const onGpu = exampleVariant('gpu', artefact, { providers: ['cuda', 'cpu'] })
  t.same(orderOf([best, onGpu], { providers: ['cuda', 'cpu'] }), ['gpu', 'best'])
  t.same(orderOf([best, onGpu]), ['best', 'gpu'], 'a processor runs it as any other')
  const half = exampleVariant('half', artefact, { macs: 0.5e9 })
  t.same(orderOf([float, half]), ['half', 'float'])
  const unliked = exampleVariant('unliked', artefact, { macs: 0.9e9, cpuPrefers: ['amx'] })
  t.same(orderOf([float, unliked]), ['float', 'unliked'], 'half as slow again without what it prefers')
  t.same(orderOf([unliked, float], { cpuFeatures: ['amx'] }), ['unliked', 'float'])
  const raw = exampleVariant('raw', artefact, { form: 'export', macs: 0.97e9 })
  t.same(orderOf([raw, float]), ['float', 'raw'], 'raw heads save a part of the work')
  t.end()
})

t.test('for the fastest, a variant below the least accuracy comes last', (t) => {
  const expected = (map: number): Partial<Variant> => ({
    expected: { map, map50: map, dataset: 'd', images: 9 },
  })
  const poor = exampleVariant('poor', artefact, { macs: 1e6, ...expected(0.29) })
  const good = exampleVariant('good', artefact, expected(0.3))
  const untold = exampleVariant('untold', artefact, { macs: 2e9 })
  const { expected: _, ...withoutExpected } = untold
  t.ok(_)
  const fastest = { policy: 'latency-first', latencyTargetMs: 100, mapFloor: 0.3, hysteresis: 0.1 } as const
  const order = eligibleVariants([poor, withoutExpected, good], machine, fastest)
  t.equal(order.variants.at(-1)?.id, 'poor')
  t.end()
})
