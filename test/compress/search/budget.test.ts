import t from 'tap'
import { boundsAccuracy, brokenBounds, parseBudget } from '../../../src/compress/search/budget.js'
import { madeUpTrial } from './search.js'

t.test('bounds are read with their units', (t) => {
  t.same(parseBudget('map-drop<=1.0,size<=2MB').bounds, [
    { quantity: 'map-drop', limit: 1 },
    { quantity: 'size', limit: 2e6 },
  ])
  t.same(parseBudget('ms <= 20ms and speed-up >= 2.4x').bounds, [
    { quantity: 'ms', limit: 20 },
    { quantity: 'speed-up', limit: 2.4 },
  ])
  t.ok(boundsAccuracy(parseBudget('map-drop<=1')))
  t.notOk(boundsAccuracy(parseBudget('packed<=900kB')))
  t.end()
})

t.test('what is no bound is named', (t) => {
  for (const text of [
    '',
    'map-drop',
    'map-drop>=1',
    'size<=2GB',
    'fast<=1',
    'ms<=1.2.3',
    'ms<=20,',
    'toString<=1',
  ])
    t.throws(
      () => parseBudget(text),
      { code: 'compress.plan_invalid', message: /expected bounds such as map-drop<=1.0/ },
      text,
    )
  t.end()
})

t.test('each broken bound is told', (t) => {
  const { figures } = madeUpTrial({ precision: 'int8', target: 'x64-vnni', side: 640, macs: 0.7 })
  t.same(brokenBounds(parseBudget('map-drop<=9,ms<=90'), figures), [])
  t.same(
    brokenBounds(parseBudget('map-drop<=0.1,ms<=1,speed-up>=100'), figures).map(({ quantity }) => quantity),
    ['map-drop', 'ms', 'speed-up'],
  )
  t.end()
})
