import t from 'tap'
import { parseYoloLabels } from '../../src/evaluation/yolo-labels.js'

const picture = { file: 'labels/a.txt', width: 200, height: 100 }

t.test('reads boxes as shares of the picture', (t) => {
  t.same(parseYoloLabels('1 0.5 0.5 0.2 0.4\n\n 0 .1 .1 .2 .2 \r\n', picture, { classCount: 2 }), [
    { classIndex: 1, x1: 80, y1: 30, x2: 120, y2: 70, area: 1600, crowd: false },
    { classIndex: 0, x1: 0, y1: 0, x2: 40, y2: 20, area: 800, crowd: false },
  ])
  t.same(parseYoloLabels('', picture, { classCount: 2 }), [])
  t.end()
})

t.test('an outline counts as its bounding box', (t) => {
  const [truth] = parseYoloLabels('0 0.1 0.2 0.5 0.9 0.3 0.4', picture, { classCount: 1 })
  t.match(truth, { x1: 20, y1: 20, x2: 100, y2: 90 })
  t.end()
})

t.test('a repeated line counts once, and a box is clipped at the border', (t) => {
  const truths = parseYoloLabels('0 0.5 0.5 1.004 0.5\n0 0.5 0.5 1.004 0.5', picture, { classCount: 1 })
  t.equal(truths.length, 1)
  t.match(truths[0], { x1: 0, x2: 200 })
  t.end()
})

t.test('numbers decide what is repeated, not how they are written', (t) => {
  const text = '1 0.5 0.5 0.2 0.4\n1.0 .5 0.50 2e-1 0.4\n1 0.5 0.5 0.2 0.4\r1 0.5 0.5 0.2 0.41'
  t.equal(parseYoloLabels(text, picture, { classCount: 2 }).length, 2)
  const outlines = '0 .1 .1 .3 .1 .3 .3\n0 0.1 0.1 0.3 0.1 0.3 0.3\n0 .1 .1 .3 .1 .1 .3'
  t.equal(parseYoloLabels(outlines, picture, { classCount: 1 }).length, 2, 'other points are another outline')
  t.end()
})

t.test('boxes and outlines stand in one file, and a pose counts as its box', (t) => {
  const mixed = '\uFEFF0 .5 .5 .2 .2\r\n0 .1 .2 .5 .9 .3 .4\r\n'
  t.equal(parseYoloLabels(mixed, picture, { classCount: 1 }).length, 2)
  const pose = '0 .5 .5 .2 .4 .4 .4 2 .6 .6 0'
  const [truth] = parseYoloLabels(pose, picture, { classCount: 1, keypointFields: 6 })
  t.match(truth, { x1: 80, y1: 30, x2: 120, y2: 70 })
  t.end()
})

t.test('refuses a line that does not fit, by file and line', (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['0 .5 .5 .2', /labels\/a\.txt, line 1: 4 fields, expected class x y width height/],
    ['0 .5 .5 .2 .2\n0 .5 .5 .2 .2 .9', /line 2: 6 fields/],
    ['2 .5 .5 .2 .2', /line 1: class "2", expected 0\.\.1/],
    ['-1 .5 .5 .2 .2', /class "-1"/],
    ['0.5 .5 .5 .2 .2', /class "0\.5"/],
    ['cat .5 .5 .2 .2', /class "cat"/],
    ['0 .5 x .2 .2', /line 1: "x", expected a share/],
    ['0 320 240 50 50', /line 1: "320", expected a share/],
    ['0 .5 .5 -.2 .2', /"-\.2", expected a share/],
    ['0 .5 .5 NaN .2', /"NaN"/],
    ['0 .5 .5 -.005 .2', /"-\.005"/],
    ['0 .5 .5 0x0 .2', /"0x0"/],
    ['0 0,5 0,5 0,2 0,2', /"0,5"/],
    ['0 .1 .1 1.5 .1 1.5 .3 .1 .3', /an outline beyond the picture/],
  ]
  for (const [text, message] of cases) {
    t.throws(
      () => parseYoloLabels(text, picture, { classCount: 2 }),
      { code: 'dataset.label_invalid', message },
      text,
    )
  }
  t.end()
})
