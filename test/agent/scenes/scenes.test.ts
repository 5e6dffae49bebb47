import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openSceneLab } from '../../helpers/scene-lab.js'

const leftHalf = [
  [0, 0],
  [0.5, 0],
  [0.5, 1],
  [0, 1],
]
const zones = [{ name: 'dock', polygon: leftHalf }]
const lines = [{ name: 'gate', from: [0.5, 1], to: [0.5, 0] }]

const folderOf = (t: Test): string => t.testdir({})

t.test('counts are said at the start and when they change, once in a second at the most', async (t) => {
  const { clock, said, figures, show } = await openSceneLab(folderOf(t), { zones, lines })
  t.match(said, [{ zones: [{ name: 'dock', objects: 0, entered: 0 }], lines: [{ forward: 0, backward: 0 }] }])
  clock.tick(1000)
  t.equal(said.length, 1, 'nothing has changed')
  show(20)
  clock.tick(0)
  t.equal(said.length, 2)
  t.match(said[1], {
    zones: [{ objects: 1, entered: 1, left: 0, classes: [{ class: 'bolt', objects: 1, entered: 1 }] }],
  })
  t.equal(said[1]!.zones[0]!.occupiedSince, new Date(clock.wallMs()).toISOString())
  show(70)
  clock.tick(0)
  t.equal(said.length, 2, 'too soon')
  clock.tick(1000)
  t.match(said[2], {
    zones: [{ objects: 0, entered: 1, left: 1, meanDwellMs: 100 }],
    lines: [{ forward: 1, backward: 0, classes: [{ class: 'bolt', forward: 1, backward: 0 }] }],
  })
  t.notOk('occupiedSince' in said[2]!.zones[0]!)
  t.same(figures, ['entered belt dock bolt', 'crossed belt gate bolt true', 'left belt dock bolt 100'])
})

t.test('sums survive a restart, and a damaged record is said and begun anew', async (t) => {
  const folder = folderOf(t)
  const first = await openSceneLab(folder, { zones, lines })
  first.show(20)
  first.show(70)
  await first.scenes.stop()
  const second = await openSceneLab(folder, { zones: [...zones, { ...zones[0], name: 'new' }], lines })
  t.match(second.said[0], {
    zones: [
      { entered: 1, left: 1 },
      { name: 'new', entered: 0 },
    ],
    lines: [{ forward: 1 }],
  })
  second.show(20)
  await second.scenes.stop()
  const renamed = await openSceneLab(folder, { zones: [{ ...zones[0], name: 'other' }] })
  t.match(renamed.said[0], { zones: [{ name: 'other', entered: 0 }] })
  await writeFile(join(folder, 'counts.a'), 'rubbish')
  await writeFile(join(folder, 'counts.b'), 'rubbish')
  const warnings: object[] = []
  const damaged = await openSceneLab(
    folder,
    { zones },
    {
      warn: (fields) => warnings.push(fields),
    },
  )
  t.match(damaged.said[0], { zones: [{ entered: 0 }] })
  t.equal(warnings.length, 1)
})

t.test('a day that ends is said, and a camera without frames shows nobody', async (t) => {
  const { clock, said, show } = await openSceneLab(folderOf(t), { zones })
  show(20)
  clock.tick(1000)
  const [day] = said.map((counts) => counts.day)
  clock.tick(24 * 3_600_000)
  const last = said.at(-1)!
  t.not(last.day, day)
  t.match(last, { zones: [{ objects: 0, entered: 0, left: 1 }] })
})

t.test('a class that the model does not have is said once', async (t) => {
  const warnings: object[] = []
  const camera = { zones: [{ ...zones[0], classes: ['blot'] }], filters: [{ class: 'nut', min_score: 0.5 }] }
  const { show } = await openSceneLab(folderOf(t), camera, {
    warn: (fields) => warnings.push(fields),
  })
  show(20)
  show(20)
  t.match(warnings, [
    { camera: 'belt', place: 'dock', class: 'blot', known: ['bolt'] },
    { place: 'filters', class: 'nut' },
  ])
})

t.test('a camera without zones is not looked at, and without masks not filtered', async (t) => {
  const { scenes, said } = await openSceneLab(folderOf(t), { masks: [leftHalf] })
  t.same([scenes.cameras, scenes.watchOf('belt'), said], [[], undefined, []])
  t.ok(scenes.filterOf('belt'))
  await scenes.stop()
  const plain = await openSceneLab(folderOf(t), {})
  t.equal(plain.scenes.filterOf('belt'), undefined)
})
