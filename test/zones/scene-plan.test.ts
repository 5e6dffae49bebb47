import t from 'tap'
import { sceneEntries, scenePlanOf, sceneProblem } from '../../src/zones/scene-plan.js'

const square = [
  [0.1, 0.1],
  [0.9, 0.1],
  [0.9, 0.9],
  [0.1, 0.9],
]
const zone = (change: object): object => ({ zones: [{ name: 'dock', polygon: square, ...change }] })

t.test('a plan comes back as it was written', (t) => {
  const entries = {
    zones: [{ name: 'dock', polygon: square, classes: ['bolt'], dwell_s: 2 }],
    lines: [{ name: 'gate', from: [0.5, 1], to: [0.5, 0] }],
    masks: [square],
    filters: [{ class: 'bolt', min_score: 0.5, min_area: 0.001, max_area: 0.5 }],
  }
  t.equal(sceneProblem(entries), undefined)
  const plan = scenePlanOf(entries)!
  t.match(plan, { zones: [{ name: 'dock', dwellMs: 2000 }], filters: [{ minScore: 0.5 }] })
  t.same(sceneEntries(plan), entries)
  t.equal(scenePlanOf({}), undefined)
  t.end()
})

t.test('each slip is one sentence that names the place', (t) => {
  const refused = (entry: object, words: RegExp): void => {
    const problem = sceneProblem(entry as Readonly<Record<string, unknown>>)
    t.match(problem, words)
    t.notMatch(problem, /\n/)
  }
  refused({ zones: 'dock' }, /^zones: expected a list, got "dock"$/)
  refused({ zones: [1] }, /^zones: entry 0: expected a map with name, polygon, classes, dwell_s, got 1$/)
  refused(zone({ polygon: square.slice(2) }), /^zones: dock: polygon has 2 points: expected 3 to 64$/)
  refused(
    zone({
      polygon: [
        [0, 0],
        [0.5, 1.2],
        [1, 0],
      ],
    }),
    /point 1 is \[0.5,1.2\], outside the picture: expected shares/,
  )
  refused(
    zone({
      polygon: [
        [0, 0],
        [640, 0],
        [640, 480],
      ],
    }),
    /point 1 is \[640,0\], outside the picture/,
  )
  refused(
    zone({
      polygon: [
        [0, 0],
        [1, 1],
        [1, 0],
        [0, 1],
      ],
    }),
    /the edges behind points 0 and 2 cross/,
  )
  refused(zone({ polygon: [...square, square[0]] }), /points 4 and 0 are the same/)
  refused(
    zone({
      polygon: [
        [0, 0],
        [0.5, 0.5],
        [1, 1],
      ],
    }),
    /cross/,
  )
  refused(
    zone({
      polygon: [
        [0, 0],
        [1, 0],
        [0, 1e-7],
      ],
    }),
    /polygon has no area/,
  )
  refused(
    zone({
      polygon: [
        [0, 0],
        ['a', 0],
        [0, 1],
      ],
    }),
    /point 1 is \["a",0\]: expected \[x, y\]/,
  )
  refused(
    zone({
      polygon: [
        [0, 0],
        [NaN, 0],
        [0, 1],
      ],
    }),
    /point 1 is \[null,0\]: expected \[x, y\]/,
  )
  refused(zone({ dwell_s: -1 }), /dwell_s is -1: expected a number 0..86400/)
  refused(zone({ clases: ['bolt'] }), /unknown key "clases"; known are name, polygon, classes, dwell_s/)
  refused(zone({ classes: [] }), /classes is \[\]: expected a list of 1 to 100/)
  refused(zone({ classes: ['a\nb'] }), /classes has "a\\nb": expected the name of a class/)
  for (const name of [
    '',
    '../x',
    'a/b',
    'a+',
    '#',
    '{{ 1 }}',
    '<b>',
    'x\u001b[2J',
    7,
    'a'.repeat(65),
    '__proto__',
  ])
    refused(zone({ name }), /^zones: entry 0: name is .*: expected 1 to 64 of letters/)
  const two = { name: 'dock', polygon: square }
  refused({ zones: [two, two] }, /the name dock is used twice/)
  refused(
    { zones: [two], lines: [{ name: 'Dock', from: [0, 0], to: [1, 1] }] },
    /dock and Dock differ only in case/,
  )
  refused({ lines: [{ name: 'gate', from: [0.5, 1], to: [0.5, 1] }] }, /from and to are both \[0.5, 1\]/)
  refused({ lines: [{ name: 'gate', from: [0.5, 1] }] }, /to is nothing: expected \[x, y\]/)
  refused({ zones: Array.from({ length: 17 }, () => two) }, /zones: expected at most 16, got 17/)
  refused(
    {
      masks: [
        [
          [0, 0],
          [1, 0],
        ],
      ],
    },
    /masks: entry 0: polygon has 2 points/,
  )
  refused({ filters: [{ class: 'bolt' }, { class: 'bolt' }] }, /filters: class "bolt" has two/)
  refused({ filters: [{}, {}] }, /filters: two have no class/)
  refused({ filters: [{ min_score: 50 }] }, /min_score is 50: expected a number 0..1/)
  refused({ filters: [{ min_area: 0.5, max_area: 0.1 }] }, /min_area 0.5 is above max_area 0.1/)
  t.end()
})
