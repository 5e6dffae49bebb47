import t from 'tap'
import type { Variant } from '../../src/protocol/manifest.js'
import { chooseVariant, type MeasuredVariant, type SelectionPolicy } from '../../src/update/choose-variant.js'
import { eligibleVariants } from '../../src/update/eligibility.js'
import { boardBundle } from '../helpers/board-bundle.js'
import { latencyOf } from '../helpers/test-device.js'
import { exampleVariant } from '../helpers/test-fleet.js'

const policy: SelectionPolicy = {
  policy: 'latency-first',
  latencyTargetMs: 50,
  mapFloor: 0.3,
  hysteresis: 0.1,
}
const [{ artefact }] = boardBundle as [Variant]

function measured(id: string, p95Ms: number, map: number, changes: Partial<Variant> = {}): MeasuredVariant {
  const variant = exampleVariant(id, artefact, {
    expected: { map, map50: map, dataset: 'COCO', images: 250 },
    ...changes,
  })
  return { variant, provider: 'cpu', latency: latencyOf(p95Ms), memoryBytes: 1e8 }
}

/** A machine with VNNI. */
const vnni = {
  kinds: ['onnx'],
  providers: ['cpu'],
  cpuFeatures: ['avx2', 'avx512_vnni'],
  int8Targets: ['x64-vnni', 'x64', 'qdq'],
  encodings: ['none'],
  memoryBytes: 8e9,
  chips: [],
  platformRuntimes: {},
}

t.test('the guess only orders the trials: what measures best is taken', (t) => {
  const found = [
    // Published exports of the reference model, in the proportions in which they measure on such a machine.
    measured('dynamic-int8', 66, 0.338, { precision: 'int8', macs: 4.1e9 }),
    measured('fp32', 84, 0.35, { precision: 'fp32', macs: 4.37e9 }),
    measured('qdq-int8', 42, 0.327, { precision: 'int8', macs: 4.37e9 }),
  ]
  const { variants } = eligibleVariants(
    found.map(({ variant }) => variant),
    vnni,
    policy,
  )
  t.same(
    variants.map(({ id }) => id),
    ['dynamic-int8', 'qdq-int8', 'fp32'],
  )
  const choice = chooseVariant(found, policy)
  t.equal(choice.chosen.variant.id, 'qdq-int8')
  t.same(
    choice.discarded.map(({ variant }) => variant),
    ['dynamic-int8', 'fp32'],
  )
  for (const { reason } of choice.discarded)
    t.match(reason, /p95 \d+\.0 ms on cpu, mAP 0\.3\d\d; qdq-int8 is better/)
  t.end()
})

t.test('a policy has a bound that comes before its order', (t) => {
  const found = [measured('quick', 10, 0.1), measured('good', 40, 0.35), measured('best', 90, 0.36)]
  const chosenBy = (changes: Partial<SelectionPolicy>): string =>
    chooseVariant(found, { ...policy, ...changes }).chosen.variant.id
  t.equal(chosenBy({}), 'good', 'quick lies under the floor of mAP')
  t.equal(chosenBy({ mapFloor: 0 }), 'quick')
  t.equal(chosenBy({ policy: 'accuracy-first' }), 'good', 'best takes too long')
  t.equal(chosenBy({ policy: 'accuracy-first', latencyTargetMs: 100 }), 'best')
  t.equal(
    chosenBy({ policy: 'accuracy-first', latencyTargetMs: 5 }),
    'best',
    'where all miss the bound it is dropped',
  )
  t.end()
})

t.test('who serves keeps its place unless another is better by the hysteresis', (t) => {
  const chosen = (otherMs: number, changes: Partial<SelectionPolicy> = {}, incumbent = 'serving'): string =>
    chooseVariant(
      [measured('serving', 40, 0.35), measured('other', otherMs, 0.35)],
      { ...policy, ...changes },
      incumbent,
    ).chosen.variant.id
  for (const kind of ['latency-first', 'balanced', 'accuracy-first'] as const) {
    t.equal(chosen(37, { policy: kind }), 'serving', kind)
    t.equal(chosen(36, { policy: kind }), 'other', kind)
    t.equal(chosen(39.9, { policy: kind, hysteresis: 0 }), 'other', kind)
  }
  t.equal(chosen(37, {}, 'nobody'), 'other', 'without an incumbent the best is taken')
  const tooSlow = { policy: 'accuracy-first', latencyTargetMs: 39 } as const
  t.equal(chosen(38.5, tooSlow), 'other', 'one that misses the bound has no place to keep')
  t.end()
})
