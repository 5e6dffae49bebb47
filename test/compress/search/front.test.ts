import t from 'tap'
import { parseBudget } from '../../../src/compress/search/budget.js'
import { candidateId } from '../../../src/compress/search/candidate.js'
import { bestWithin, frontOf } from '../../../src/compress/search/front.js'
import type { MeasuredTrial } from '../../../src/compress/search/trial.js'
import { madeUpTrial } from './search.js'

function trial(name: number, map: number, ms: number, sizeBytes: number): MeasuredTrial {
  const made = madeUpTrial({ precision: 'fp32', side: name, macs: 1 })
  const difference = { value: map - 0.35, low: 0, high: 0 }
  return { ...made, figures: { ...made.figures, map, ms, sizeBytes, difference } }
}

t.test('only what something beats in nothing is dropped, and what beats it is named', (t) => {
  const [best, fast, small, bad] = [
    trial(1, 0.35, 50, 12),
    trial(2, 0.3, 10, 12),
    trial(3, 0.2, 60, 1),
    trial(4, 0.29, 20, 13),
  ]
  const { kept, dropped } = frontOf([best, fast, small, bad])
  t.same(kept, [fast, best, small])
  t.same(dropped, [{ trial: bad, by: fast }])
  t.end()
})

t.test('of equals the first stays, and noise in the time decides nothing', (t) => {
  const [one, two, noisy] = [trial(1, 0.35, 50, 12), trial(2, 0.35, 50, 12), trial(3, 0.34, 49.5, 12)]
  t.same(frontOf([one, two, noisy]).kept, [one])
  t.end()
})

t.test('a front of many dominates all the others and nothing of itself', (t) => {
  const trials = Array.from({ length: 200 }, (_, index) =>
    trial(index, ((index * 37) % 101) / 300, 10 + ((index * 53) % 97), 1 + ((index * 29) % 89)),
  )
  const { kept, dropped } = frontOf(trials)
  t.equal(kept.length + dropped.length, trials.length)
  for (const { trial: lost, by } of dropped) {
    t.ok(by.figures.map >= lost.figures.map && by.figures.sizeBytes <= lost.figures.sizeBytes)
    t.ok(by.figures.ms <= lost.figures.ms * 1.03)
  }
  t.end()
})

t.test('a bound on accuracy asks for the fastest, any other for the most accurate', (t) => {
  const trials = [1, 0.9, 0.8].map((macs) =>
    madeUpTrial({ precision: 'int8', target: 'x64-vnni', side: 640, macs }),
  )
  const id = (text: string): string | undefined => {
    const best = bestWithin(parseBudget(text), trials)
    return best && candidateId(best.candidate)
  }
  t.equal(id('map-drop<=1.0'), 'int8-x64-vnni-640-macs90')
  t.equal(id('ms<=35'), 'int8-x64-vnni-640-macs90')
  t.equal(id('ms<=1'), undefined)
  t.end()
})
