import t from 'tap'
import { seededRandom } from '../../src/base/random.js'
import type { Detection } from '../../src/yolo/detection.js'
import { contains, type Point, scaleInto } from '../../src/zones/polygon.js'
import type { LinePlan, ZonePlan } from '../../src/zones/scene-plan.js'
import { ZoneWatch } from '../../src/zones/zone-watch.js'

const [width, height] = [1000, 500]
const classNames = ['bolt', 'nut', 'screw']

interface Happening {
  readonly what: string
  readonly id: number
  readonly class: string
  readonly dwellMs?: number
}

/** A watch of one camera, what happened in it, and a way to show it objects by their feet. */
function watched(
  plan: { zones?: readonly Partial<ZonePlan>[]; lines?: readonly LinePlan[] },
  bufferMs = 1000,
) {
  const happened: Happening[] = []
  const { zones = [], lines = [] } = plan
  const whole = zones.map((zone, index): ZonePlan => ({
    name: `zone${index}`,
    polygon: [],
    dwellMs: 0,
    ...zone,
  }))
  const tell = (what: string, slot: number, dwellMs?: number): void => {
    const { id, className } = watch.trackIn(slot)
    happened.push({ what, id, class: className, ...(dwellMs !== undefined && { dwellMs }) })
  }
  const watch: ZoneWatch = new ZoneWatch({ zones: whole, lines }, bufferMs, {
    entered: (zone, slot) => {
      tell(`in ${zone}`, slot)
    },
    left: (zone, slot, dwellMs) => {
      tell(`out ${zone}`, slot, dwellMs)
    },
    crossed: (line, slot, isForward) => {
      tell(`${isForward ? 'forward' : 'backward'} ${line}`, slot)
    },
  })
  let atMs = 0
  const show = (feet: Readonly<Record<number, readonly [number, number, number?]>>, scale = 1): void => {
    atMs += 100
    const detections = Object.values(feet).map(([x, y, classIndex = 0]) =>
      boxOf(x * scale, y * scale, classIndex),
    )
    const trackIds = Object.keys(feet).map(Number)
    const [sourceWidth, sourceHeight] = [width * scale, height * scale]
    watch.update({ detections, trackIds, classNames, sourceWidth, sourceHeight }, atMs)
  }
  return { watch, happened, show, words: () => happened.splice(0).map(({ what, id }) => `${id} ${what}`) }
}

/** A box of 40 x 40 pixels, so that the margin is 4, on the foot (x, y). */
function boxOf(x: number, y: number, classIndex: number): Detection {
  return { x1: x - 20, x2: x + 20, y1: y - 40, y2: y, score: 0.9, classIndex }
}

const middle: LinePlan = { name: 'gate', from: [0.5, 1], to: [0.5, 0] }
const leftHalf: readonly Point[] = [
  [0, 0],
  [0.5, 0],
  [0.5, 1],
  [0, 1],
]

t.test('a line is crossed to the right of whoever looks along it, and back', (t) => {
  const { show, words } = watched({ lines: [middle] })
  show({ 1: [480, 300], 2: [530, 200] })
  show({ 1: [520, 300], 2: [470, 200] })
  t.same(words(), ['1 forward 0', '2 backward 0'])
  show({ 1: [480, 300] })
  t.same(words(), ['1 backward 0'])
  t.end()
})

t.test('what trembles on a line, or turns back within the margin, has not crossed it', (t) => {
  const { show, words } = watched({ lines: [middle] })
  show({ 1: [480, 300] })
  for (const x of [499, 502, 498, 503, 499, 501, 490]) show({ 1: [x, 300] })
  t.same(words(), [])
  for (const x of [499, 502, 498, 503, 501, 499, 510]) show({ 1: [x, 300] })
  t.same(words(), ['1 forward 0'], 'once, when it is clearly behind it')
  t.end()
})

t.test('whoever passes an end of a line has not crossed it', (t) => {
  const short: LinePlan = { name: 'short', from: [0.5, 0.6], to: [0.5, 0.4] }
  const { show, words } = watched({ lines: [short] })
  show({ 1: [480, 320], 2: [480, 250] })
  show({ 1: [520, 320], 2: [520, 250] })
  t.same(words(), ['2 forward 0'])
  show({ 2: [520, 320] })
  show({ 2: [480, 320] })
  t.same(words(), [], 'back around the end')
  show({ 2: [480, 250] })
  show({ 2: [520, 250] })
  t.same(words(), ['2 forward 0'])
  t.end()
})

t.test('crossings of a random walk are those of its way, forward and backward in turns', (t) => {
  const random = seededRandom(5)
  let crossings = 0
  for (let round = 0; round < 200; round++) {
    const { show, happened } = watched({ lines: [middle] })
    let [x, y] = [random.next() * width, 250]
    let side = 0
    let expected = 0
    for (let step = 0; step < 200; step++) {
      x = Math.min(width - 1, Math.max(0, x + random.normal() * 20))
      y = Math.min(height - 1, Math.max(1, y + random.normal() * 5))
      show({ 1: [x, y] })
      const now = x > 504 ? 1 : x < 496 ? -1 : side
      // One that began within the margin is on no side before it has left it.
      if (side !== 0 && now !== side) expected++
      side = now
    }
    const ways = happened.map(({ what }) => what)
    crossings += ways.length
    if (Math.abs(ways.length - expected) > 1) t.fail(`${ways.length} crossings, expected ${expected}`)
    for (const [index, way] of ways.entries())
      if (index > 0 && way === ways[index - 1]) t.fail('twice in one direction')
  }
  t.ok(crossings > 500, `${crossings} crossings`)
  t.end()
})

t.test(
  'an object is in a zone by its foot, leaves it beyond the margin, and dwells as long as it was seen',
  (t) => {
    const { watch, show, happened, words } = watched({ zones: [{ polygon: leftHalf }] })
    show({ 1: [510, 250] })
    show({ 1: [495, 250] })
    t.same(words(), ['1 in 0'])
    t.equal(watch.objectsIn(0, 0), 1)
    show({ 1: [503, 250] })
    t.same(words(), [], 'within the margin')
    show({ 1: [510, 250] })
    t.match(happened.splice(0), [{ what: 'out 0', dwellMs: 200 }])
    t.equal(watch.objectsIn(0, 0), 0)
    t.end()
  },
)

t.test('whoever stands on the lower edge of the picture is in a zone that ends there', (t) => {
  const { show, words } = watched({ zones: [{ polygon: leftHalf }] })
  show({ 1: [100, height] })
  show({ 1: [100, height + 3] })
  t.same(words(), ['1 in 0'])
  t.end()
})

t.test('a zone counts only those that have stayed, and only its classes', (t) => {
  const { show, words } = watched({ zones: [{ polygon: leftHalf, dwellMs: 250, classes: ['nut'] }] })
  show({ 1: [100, 200, 1], 2: [200, 200, 0] })
  show({ 1: [100, 200, 1], 2: [200, 200, 0] })
  show({ 1: [100, 200, 1], 2: [200, 200, 0] })
  t.same(words(), [])
  show({ 1: [100, 200, 1], 2: [200, 200, 0] })
  t.same(words(), ['1 in 0'])
  t.end()
})

t.test('hidden objects stay for the buffer, and without frames until the camera is given up', (t) => {
  const { watch, show, words } = watched({ zones: [{ polygon: leftHalf }] }, 500)
  show({ 1: [100, 200], 2: [200, 200] })
  for (let frame = 0; frame < 5; frame++) show({ 2: [200, 200] })
  t.same(words(), ['1 in 0', '2 in 0'])
  show({ 2: [200, 200] })
  t.same(words(), ['1 out 0'])
  watch.endIdle(1700)
  t.same(words(), [], 'a short pause')
  watch.endIdle(9000)
  t.same(words(), ['2 out 0'])
  t.end()
})

t.test(
  'a mistaken class moves no count for good, and another model may number its classes otherwise',
  (t) => {
    const { watch, show, happened } = watched({ zones: [{ polygon: leftHalf }], lines: [middle] })
    for (const classIndex of [2, 2, 0, 2]) show({ 7: [100, 200, classIndex] })
    t.same(
      watch.classNames.map((name, number) => [name, watch.objectsIn(0, number)]),
      [
        ['screw', 1],
        ['bolt', 0],
      ],
    )
    const detections = [boxOf(700, 200, 0)]
    watch.update(
      { detections, trackIds: [7], classNames: ['screw', 'bolt'], sourceWidth: width, sourceHeight: height },
      500,
    )
    t.match(happened.at(-2), { what: 'forward 0', class: 'screw' })
    t.end()
  },
)

t.test('a picture of another size changes nothing of what is where', (t) => {
  const { show, words } = watched({ zones: [{ polygon: leftHalf }], lines: [middle] })
  show({ 1: [400, 250], 2: [600, 250] })
  show({ 1: [402, 250], 2: [598, 250] }, 0.5)
  show({ 1: [404, 250], 2: [596, 250] }, 2)
  t.same(words(), ['1 in 0'])
  show({ 1: [520, 250], 2: [480, 250] }, 2)
  t.same(words(), ['1 forward 0', '1 out 0', '2 backward 0', '2 in 0'])
  t.end()
})

t.test('whatever objects do, the objects in a zone are those that entered less those that left', (t) => {
  const random = seededRandom(6)
  const polygon: readonly Point[] = [
    [0.2, 0.1],
    [0.8, 0.3],
    [0.6, 0.9],
    [0.5, 0.4],
    [0.1, 0.8],
  ]
  const corners = new Float64Array(10)
  scaleInto(corners, polygon, width, height)
  const { watch, show, happened } = watched(
    { zones: [{ polygon }, { polygon: leftHalf }], lines: [middle] },
    300,
  )
  const places = new Map<number, [number, number]>()
  const balance = new Map<string, number>()
  let happenings = 0
  let wrong = 0
  for (let frame = 0; frame < 3000; frame++) {
    for (let id = 1; id <= 40; id++) {
      const [x, y] = places.get(id) ?? [random.next() * width, random.next() * height]
      if (random.next() < 0.005) places.delete(id)
      else places.set(id, [x + random.normal() * 15, y + random.normal() * 10])
    }
    const seen = [...places].filter(() => random.next() < 0.8)
    show(Object.fromEntries(seen.map(([id, [x, y]]) => [id, [x, y, random.integer(3)] as const])))
    for (const { what } of happened.splice(0)) {
      happenings++
      const [way, zone] = what.split(' ') as [string, string]
      if (way === 'in' || way === 'out') balance.set(zone, (balance.get(zone) ?? 0) + (way === 'in' ? 1 : -1))
    }
    for (const zone of [0, 1]) {
      const inside = watch.classNames.reduce((sum, _name, number) => sum + watch.objectsIn(zone, number), 0)
      if ((balance.get(String(zone)) ?? 0) !== inside) wrong++
    }
    const standing = seen.filter(([, [x, y]]) => contains(corners, x, Math.min(Math.max(y, 0), height - 1)))
    const inside = watch.classNames.reduce((sum, _name, number) => sum + watch.objectsIn(0, number), 0)
    if (inside < standing.length) wrong++
  }
  t.equal(wrong, 0)
  t.ok(happenings > 2000, `${happenings} happenings`)
  t.end()
})
