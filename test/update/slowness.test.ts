import t from 'tap'
import { slownessBeside, type SlownessRule, type SpeedFigures } from '../../src/update/slowness.js'

const rule: SlownessRule = { factorMax: 3, slackMs: 10, quantile: 'p95Ms', isOnProcessors: true }

function figures(wallMs: number, cpuMs?: number, referenceMs?: number): SpeedFigures {
  const reference =
    referenceMs === undefined ? undefined : { cpuMs: referenceMs, p50Ms: 1, p95Ms: referenceMs }
  return { wallMs, cpuMs, reference }
}

const standard = figures(20, 20, 2)

t.test('on processors their time decides, whatever time has passed', (t) => {
  t.equal(slownessBeside(figures(900, 30, 2), standard, rule), undefined, 'a busy neighbor')
  const slow = { takenMs: 100, standardMs: 20, limitMs: 60, isOnProcessors: true }
  t.same(slownessBeside(figures(100, 100, 2), standard, rule), slow, 'the model itself')
  t.same(
    slownessBeside(figures(100, 100, 2), figures(500, 20, 2), rule),
    slow,
    'a standard from a busy moment hides nothing',
  )
  t.end()
})

t.test('what slows the fixed work is forgiven, what speeds it up is not asked for', (t) => {
  t.equal(slownessBeside(figures(100, 100, 4), standard, rule), undefined)
  t.same(slownessBeside(figures(130, 130, 4), standard, rule)?.limitMs, 120)
  t.equal(slownessBeside(figures(50, 50, 1), standard, rule), undefined)
  t.end()
})

t.test('elsewhere the time that passes decides, beside that of the fixed work', (t) => {
  const elsewhere = { ...rule, isOnProcessors: false }
  t.match(slownessBeside(figures(100, 1, 2), standard, elsewhere), { takenMs: 100, isOnProcessors: false })
  t.equal(slownessBeside(figures(100, 1, 4), standard, elsewhere), undefined)
  t.match(
    slownessBeside(figures(100), standard, rule),
    { takenMs: 100, isOnProcessors: false },
    'so it is where nobody counts',
  )
  t.match(slownessBeside(figures(100), figures(20), rule), { limitMs: 60 })
  t.end()
})

t.test('a few milliseconds decide nothing', (t) => {
  t.equal(slownessBeside(figures(11, 11), figures(1, 1), rule), undefined)
  t.ok(slownessBeside(figures(12, 12), figures(1, 1), rule))
  t.end()
})
