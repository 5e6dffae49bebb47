import t from 'tap'
import { drawScene } from '../../../src/training/conveyor/draw-scene.js'
import { partNames, partShape } from '../../../src/training/conveyor/part-shapes.js'
import { planScene, type Scene } from '../../../src/training/conveyor/scene.js'

const empty: Scene = { ...planScene(3), parts: [], clutter: [], noise: 0, blur: 0 }

function sceneWith(...parts: readonly Partial<Scene['parts'][number]>[]): Scene {
  const first = {
    classIndex: 2,
    traits: { slimness: 0.5, count: 0.5, bore: 0.5 },
    x: 0.5,
    y: 0.5,
    radius: 0.2,
    angle: 0.3,
    color: [200, 200, 200] as const,
    gloss: 0.5,
  }
  return { ...empty, parts: parts.map((part) => ({ ...first, ...part })) }
}

t.test('the same seed draws the same picture, another one another', (t) => {
  const [first, again, other] = [7, 7, 8].map((seed) => drawScene(planScene(seed), 96, 64))
  t.equal(Buffer.compare(first!.pixels, again!.pixels), 0)
  t.same(first!.targets, again!.targets)
  t.not(Buffer.compare(first!.pixels, other!.pixels), 0)
  t.end()
})

t.test('a round part has the box of its circle', (t) => {
  const { targets } = drawScene(sceneWith({}), 200, 200)
  t.equal(targets.length, 1)
  const [box] = targets
  t.equal(box!.classIndex, 2)
  const expected = { x1: 60, y1: 60, x2: 140, y2: 140 }
  for (const [side, place] of Object.entries(expected))
    t.ok(Math.abs(box![side as 'x1'] - place) <= 1, `${side} ${box![side as 'x1']}`)
  t.end()
})

t.test('a part at the border keeps the box of what is in the picture', (t) => {
  const { targets } = drawScene(sceneWith({ x: 0.02 }), 200, 200)
  t.equal(targets[0]!.x1, 0)
  t.ok(Math.abs(targets[0]!.x2 - 44) <= 1)
  t.same(drawScene(sceneWith({ x: -0.3 }), 200, 200).targets, [])
  t.end()
})

t.test('a part that lies under another has no label, one that peeps out has its whole box', (t) => {
  const covered = drawScene(
    sceneWith(
      { classIndex: 1, radius: 0.08 },
      { radius: 0.3, traits: { slimness: 0, count: 0, bore: 0 }, classIndex: 5 },
    ),
    200,
    200,
  )
  t.ok(covered.targets.some(({ classIndex }) => classIndex === 5))
  const half = drawScene(sceneWith({ x: 0.4 }, { x: 0.6, classIndex: 3 }), 200, 200)
  t.equal(half.targets.length, 2)
  t.ok(Math.abs(half.targets[0]!.x2 - half.targets[0]!.x1 - 80) <= 2)
  t.end()
})

t.test('what lies on the belt moves with it', (t) => {
  const [still] = drawScene(sceneWith({}), 200, 200).targets
  const [moved] = drawScene(sceneWith({}), 200, 200, 0.1).targets
  t.equal(moved!.x1 - still!.x1, 20)
  t.equal(moved!.y1, still!.y1)
  t.end()
})

t.test('every shape keeps within its circle and has an inside', (t) => {
  const grid = Array.from({ length: 121 * 121 }, (_, at) => [
    (at % 121) / 50 - 1.2,
    Math.floor(at / 121) / 50 - 1.2,
  ])
  for (const name of partNames) {
    for (const share of [0, 0.5, 1]) {
      const shape = partShape(name, { slimness: share, count: share, bore: share })
      const inside = grid.filter(([u, v]) => shape.distance(u!, v!) < 0)
      t.ok(inside.length > 300, `${name}: ${inside.length}`)
      t.same(
        inside.filter(([u, v]) => Math.hypot(u!, v!) > 1.08),
        [],
        name,
      )
    }
  }
  t.end()
})

t.test('planned scenes show every class and differ in light', (t) => {
  const scenes = Array.from({ length: 40 }, (_, seed) => planScene(seed))
  const classes = new Set(scenes.flatMap(({ parts }) => parts.map(({ classIndex }) => classIndex)))
  t.equal(classes.size, partNames.length)
  t.equal(new Set(scenes.map(({ light }) => light.level)).size, 40)
  t.end()
})
