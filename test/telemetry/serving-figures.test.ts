import t from 'tap'
import { ServingFigures } from '../../src/telemetry/serving-figures.js'
import type { ServedFrame } from '../../src/telemetry/ports.js'

function frame(version: string, classIndex: number, count = 1): ServedFrame {
  return {
    identity: { model: 'm', version, variant: 'v' },
    classNames: ['nut', 'bolt'],
    sourceWidth: 100,
    sourceHeight: 100,
    detections: Array.from({ length: count }, () => ({
      classIndex,
      score: 0.5,
      x1: 0,
      y1: 0,
      x2: 10,
      y2: 10,
    })),
    timings: { preprocessMs: 1, inferenceMs: 8, decodeMs: 1 },
  }
}

t.test('a period has the latency of its frames, and the next one begins anew', (t) => {
  const figures = new ServingFigures()
  for (let index = 0; index < 5; index++) figures.add(frame('1.0.0', 0))
  const first = figures.take()
  t.match(first, { frames: 5, latency: { count: 5 } })
  t.ok(Math.abs(first.latency.p50Ms - 10) < 0.5)
  t.match(figures.take(), { frames: 0, latency: { count: 0 } })
  t.end()
})

t.test('a change of what is seen shows as drift against the first period; the same does not', (t) => {
  const figures = new ServingFigures()
  const see = (classIndex: number): void => {
    for (let index = 0; index < 100; index++) figures.add(frame('1.0.0', classIndex, 10))
  }
  see(0)
  t.equal(figures.take().drift, undefined, 'the first period is the baseline')
  see(0)
  t.ok(figures.take().drift!.classPsi! < 0.01)
  see(1)
  t.ok(figures.take().drift!.classPsi! > 0.25)
  t.end()
})

t.test('a new model has its own baseline', (t) => {
  const figures = new ServingFigures()
  for (let index = 0; index < 100; index++) figures.add(frame('1.0.0', 0, 10))
  figures.take()
  for (let index = 0; index < 100; index++) figures.add(frame('2.0.0', 1, 10))
  t.equal(figures.take().drift, undefined)
  t.end()
})
