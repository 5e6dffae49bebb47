import sharp from 'sharp'
import t, { type Test } from 'tap'
import { openSceneLab, type SceneLab, type SceneLabOptions } from '../../helpers/scene-lab.js'

const zones = [
  {
    name: 'dock',
    polygon: [
      [0, 0],
      [0.5, 0],
      [0.5, 1],
      [0, 1],
    ],
  },
]
const lines = [{ name: 'gate', from: [0.5, 1], to: [0.5, 0] }]

/** Waits until no picture is being made. */
async function pictureMade(): Promise<void> {
  do await new Promise((resolve) => setTimeout(resolve, 5))
  while (sharp.counters().process + sharp.counters().queue > 0)
}

const openWith = (t: Test, events: Partial<NonNullable<SceneLabOptions['events']>> = {}): Promise<SceneLab> =>
  openSceneLab(
    t.testdir({}),
    { zones, lines },
    { events: { updateMs: 1000, rateMax: 100, pictures: undefined, ...events } },
  )

t.test('a stay is told from its beginning to its end, under one id', async (t) => {
  const { events, show } = await openWith(t)
  for (const [x, score] of [
    [20, 0.5],
    [22, 0.9],
    [24, 0.7],
  ] as const)
    show(x, score)
  t.same(
    events.map(({ kind }) => kind),
    ['new'],
  )
  for (let frame = 0; frame < 10; frame++) show(25, 0.8)
  show(70, 0.8)
  const told = events.map(({ kind, id, dwellMs, bestScore }) => [
    kind,
    id === events[0]!.id,
    dwellMs,
    bestScore,
  ])
  t.same(told, [
    ['new', true, 0, 0.5],
    ['update', true, 1000, 0.9],
    ['crossing', false, undefined, 0.8],
    ['end', true, 1300, 0.9],
  ])
  t.match(events[0], {
    ...{ camera: 'belt', zone: 'dock', class: 'bolt', trackId: 1, model: 'm', version: '1.0.0' },
    share: [0.15, 0.4, 0.25, 0.5],
  })
  t.match(events[2], { line: 'gate', direction: 'forward' })
})

t.test('the end brings the best picture, where it is wanted', async (t) => {
  const lab = await openWith(t, { pictures: { widthMax: 80, drawsBox: false } })
  const drawn = await openWith(t, { pictures: { widthMax: 80, drawsBox: true } })
  for (const { show, scenes, clock } of [lab, drawn]) {
    show(2, 0.95)
    await pictureMade()
    clock.advance(1000)
    show(22, 0.9)
    await pictureMade()
    clock.advance(1000)
    show(24, 0.5)
    await scenes.stop()
  }
  const pictures = [lab, drawn].map(({ events }) => {
    const { kind, picture } = events.at(-1)!
    t.equal(kind, 'end')
    return picture!
  })
  // Cut off at the edge it counts half.
  t.same(pictures[0]!.share, [0.17, 0.4, 0.27, 0.5])
  const [plain, boxed] = await Promise.all(
    pictures.map(async ({ jpeg }) => {
      const { data, info } = await sharp(Buffer.from(jpeg, 'base64'))
        .raw()
        .toBuffer({ resolveWithObject: true })
      t.equal(info.width, 80)
      return data
    }),
  )
  t.ok(
    plain!.every((value) => Math.abs(value - 128) < 8),
    'a grey picture',
  )
  t.ok(
    boxed!.some((value) => Math.abs(value - 128) > 60),
    'with a box in it',
  )
})

t.test('of too many the further ones are not told, from their beginning to their end', async (t) => {
  const { events, show, said, clock } = await openWith(t, { rateMax: 3 })
  for (let round = 0; round < 5; round++) {
    show(20)
    show(70)
  }
  t.same(
    events.map(({ kind }) => kind),
    ['new', 'crossing', 'end', 'crossing'],
  )
  clock.tick(1000)
  t.match(
    said.at(-1),
    { zones: [{ entered: 5, left: 5 }], lines: [{ forward: 5, backward: 4 }] },
    'all are counted',
  )
  clock.advance(60_000)
  show(20)
  t.equal(events.length, 6, 'a minute later')
})

t.test('whoever is in a zone when the agent stops has left it', async (t) => {
  const { events, show, scenes, said } = await openWith(t)
  show(20)
  await scenes.stop()
  t.match(events, [{ kind: 'new' }, { kind: 'end' }])
  t.match(said.at(-1), { zones: [{ objects: 0, entered: 1, left: 1 }] })
})
