import t from 'tap'
import { frontPlot, type PlotPoint } from '../../../src/cli/report/front-plot.js'

function point(label: string, x: number, y: number, isFront: boolean): PlotPoint {
  return { label, x, y, sizeBytes: 4e6, kind: 'int8', isFront }
}

function circles(svg: string): readonly (readonly [number, number])[] {
  return [...svg.matchAll(/<circle[^>]* cx="([\d.]+)" cy="([\d.]+)"/g)].map(
    ([, x, y]) => [Number(x), Number(y)] as const,
  )
}

t.test('faster is further left, more accurate further up, and all lies inside', (t) => {
  const svg = frontPlot(
    [point('slow', 90, 35, true), point('fast', 20, 30, true), point('bad', 60, 20, false)],
    35,
  )
  const [slow, fast, bad] = circles(svg)
  t.ok(fast![0] < bad![0] && bad![0] < slow![0])
  t.ok(slow![1] < fast![1] && fast![1] < bad![1])
  for (const [x, y] of circles(svg)) t.ok(x > 62 && x <= 740 && y >= 16 && y <= 372)
  t.equal(svg.match(/class="point int8 beaten"/g)?.length, 1)
  t.match(svg, '<title>fast: 20.0 ms, mAP 30.00, 4.00 MB</title>')
  t.end()
})

t.test('one point, and names from outside', (t) => {
  const svg = frontPlot([point('<b>', 10, 30, true)], 30)
  t.equal(circles(svg).length, 1)
  t.notMatch(svg, /<b>|NaN|Infinity/)
  t.end()
})

t.test('the line leaves out what is on the front for its size alone', (t) => {
  const svg = frontPlot(
    [point('slow', 90, 35, true), point('fast', 20, 30, true), point('small', 40, 25, true)],
    35,
  )
  const [, corners] = /<polyline class="front" points="([^"]*)"/.exec(svg)!
  const [slow, fast] = circles(svg)
  t.equal(corners, [fast, slow].map((place) => place!.map((value) => value.toFixed(1)).join(',')).join(' '))
  t.end()
})
