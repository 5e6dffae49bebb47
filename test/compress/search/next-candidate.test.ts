import t from 'tap'
import { parseBudget } from '../../../src/compress/search/budget.js'
import { candidateId } from '../../../src/compress/search/candidate.js'
import { bestWithin } from '../../../src/compress/search/front.js'
import {
  nextCandidate,
  pruningSteps,
  type SearchSettings,
} from '../../../src/compress/search/next-candidate.js'
import type { MeasuredTrial, Trial } from '../../../src/compress/search/trial.js'
import { madeUpTrial } from './search.js'

function settings(...budgets: readonly string[]): SearchSettings {
  return {
    budgets: budgets.map(parseBudget),
    sides: [640, 512, 416],
    hostTarget: 'x64-vnni',
    otherTargets: ['arm64', 'tensorrt'],
    half: true,
  }
}

function finish(given: SearchSettings, start: readonly MeasuredTrial[] = []): readonly MeasuredTrial[] {
  const trials = [...start]
  for (;;) {
    const next = nextCandidate(given, trials)
    if (next === undefined) return trials
    trials.push(madeUpTrial(next))
  }
}

t.test('the ladder comes first, then pruning', (t) => {
  const ids = finish(settings('map-drop<=1.0')).map(({ candidate }) => candidateId(candidate))
  t.same(ids.slice(0, 7), [
    'fp32-640',
    'int8-x64-vnni-640',
    'int8-x64-vnni-512',
    'int8-x64-vnni-416',
    'fp16-640',
    'int8-arm64-640',
    'int8-tensorrt-640',
  ])
  t.equal(new Set(ids).size, ids.length, 'nothing is tried twice')
  t.ok(ids.length <= 16, `${ids.length} trials`)
  t.equal(ids.at(-1), 'fp32-640-macs90', 'the pruned model in float too')
  t.end()
})

t.test('the best of all steps is found, for bounds of accuracy, of time and of size', (t) => {
  for (const text of ['map-drop<=1.0', 'map-drop<=5', 'ms<=20', 'size<=2.8MB']) {
    const given = settings(text)
    const all = given.sides.flatMap((side) =>
      pruningSteps.map((macs) => madeUpTrial({ precision: 'int8', target: 'x64-vnni', side, macs })),
    )
    const [budget] = given.budgets
    const found = bestWithin(budget!, finish(given))
    t.same(found?.candidate, bestWithin(budget!, all)?.candidate, text)
  }
  t.end()
})

t.test('a search that stopped anywhere goes on as it would have', (t) => {
  const given = settings('map-drop<=1.0', 'map-drop<=5')
  const whole = finish(given)
  for (let at = 0; at < whole.length; at++) t.same(finish(given, whole.slice(0, at)), whole)
  t.end()
})

t.test('a candidate that could not be made ends its branch', (t) => {
  const given = settings('map-drop<=5')
  const trials: Trial[] = []
  for (;;) {
    const next = nextCandidate(given, trials)
    if (next === undefined) break
    trials.push(
      next.macs < 0.8
        ? { kind: 'refused', candidate: next, reason: 'the budget cannot be met' }
        : madeUpTrial(next),
    )
  }
  t.ok(trials.length < 25)
  const narrow = trials.filter(({ kind, candidate }) => kind === 'measured' && candidate.macs < 0.85)
  t.ok(narrow.length > 0)
  t.end()
})
