import t from 'tap'
import { type Random, seededRandom } from '../../src/base/random.js'
import {
  areaOf,
  contains,
  crossingEdges,
  distanceToEdge,
  type Point,
  scaleInto,
} from '../../src/zones/polygon.js'

/** A polygon whose corners go once around its middle: it never crosses itself. */
function star(random: Random): Point[] {
  const count = 3 + random.integer(12)
  const angles = Array.from({ length: count }, () => random.next() * 2 * Math.PI).sort((a, b) => a - b)
  // A gap of half a turn would leave the middle outside.
  angles.push(0, 2, 4)
  angles.sort((a, b) => a - b)
  return angles.map((angle) => {
    const radius = 0.05 + 0.44 * random.next()
    return [0.5 + radius * Math.cos(angle), 0.5 + radius * Math.sin(angle)]
  })
}

const cornersOf = (points: readonly Point[], scale = 1): Float64Array => {
  const corners = new Float64Array(points.length * 2)
  scaleInto(corners, points, scale, scale)
  return corners
}

/** Inside by the winding number, which another rule computes. */
function windingContains(points: readonly Point[], x: number, y: number): boolean {
  let angle = 0
  for (const [index, [x1, y1]] of points.entries()) {
    const [x2, y2] = points[(index + 1) % points.length]!
    angle += Math.atan2((x1 - x) * (y2 - y) - (y1 - y) * (x2 - x), (x1 - x) * (x2 - x) + (y1 - y) * (y2 - y))
  }
  return Math.abs(angle) > Math.PI
}

t.test('inside is what the winding number says, in any size of the picture', (t) => {
  const random = seededRandom(1)
  let inside = 0
  for (let round = 0; round < 300; round++) {
    const points = star(random)
    const corners = cornersOf(points, 1280)
    for (let probe = 0; probe < 30; probe++) {
      const [x, y] = [random.next(), random.next()]
      const expected = windingContains(points, x, y)
      if (expected) inside++
      if (contains(corners, x * 1280, y * 1280) !== expected) t.fail(JSON.stringify({ points, x, y }))
    }
  }
  t.ok(inside > 1000, `${inside} points inside`)
  t.end()
})

t.test('a point belongs to exactly one of two polygons that share an edge', (t) => {
  const random = seededRandom(2)
  for (let round = 0; round < 2000; round++) {
    // Corners on a coarse grid, so that points meet edges and corners.
    const at = (): number => random.integer(5) / 4
    const [cutX1, cutX2] = [0.25 + random.integer(3) / 4, 0.25 + random.integer(3) / 4]
    const left: Point[] = [
      [0, 0],
      [cutX1, 0],
      [cutX2, 1],
      [0, 1],
    ]
    const right: Point[] = [
      [cutX1, 0],
      [1, 0],
      [1, 1],
      [cutX2, 1],
    ]
    const [x, y] = [at() * 0.999, at() * 0.999]
    const sides = [left, right].filter((points) => contains(cornersOf(points), x, y))
    if (sides.length !== 1) t.fail(JSON.stringify({ cutX1, cutX2, x, y, sides: sides.length }))
  }
  t.end()
})

/** Whether two edges without a common corner cross, by solving for where. */
function crosses(points: readonly Point[]): boolean {
  const edges = points.map((from, index) => [from, points[(index + 1) % points.length]!] as const)
  return edges.some(([a, b], one) =>
    edges.some(([c, d], other) => {
      if (other <= one + 1 || (one === 0 && other === edges.length - 1)) return false
      const across = (b[0] - a[0]) * (d[1] - c[1]) - (b[1] - a[1]) * (d[0] - c[0])
      const along = ((c[0] - a[0]) * (d[1] - c[1]) - (c[1] - a[1]) * (d[0] - c[0])) / across
      const back = ((c[0] - a[0]) * (b[1] - a[1]) - (c[1] - a[1]) * (b[0] - a[0])) / across
      return along > 0 && along < 1 && back > 0 && back < 1
    }),
  )
}

t.test('a star never crosses itself, and random corners cross where two edges meet', (t) => {
  const random = seededRandom(3)
  const found = { crossing: 0, plain: 0 }
  for (let round = 0; round < 1000; round++) {
    if (crossingEdges(star(random)) !== undefined) t.fail('a star crosses itself')
    const points = Array.from({ length: 3 + random.integer(4) }, (): Point => [random.next(), random.next()])
    const expected = crosses(points)
    found[expected ? 'crossing' : 'plain']++
    if ((crossingEdges(points) !== undefined) !== expected) t.fail(JSON.stringify(points))
  }
  t.ok(found.crossing > 300 && found.plain > 300, JSON.stringify(found))
  t.same(
    crossingEdges([
      [0, 0],
      [1, 1],
      [1, 0],
      [0, 1],
    ]),
    [0, 2],
    'a bow tie',
  )
  t.same(
    crossingEdges([
      [0, 0],
      [1, 0],
      [0.5, 0],
    ]),
    [0, 1],
    'there and back',
  )
  t.same(
    crossingEdges([
      [0, 0],
      [1, 0],
      [1, 1],
      [0.5, 0],
      [0, 1],
    ]),
    [0, 2],
    'a corner on an edge',
  )
  t.end()
})

t.test('the distance from an edge is the least over points of all edges', (t) => {
  const random = seededRandom(4)
  for (let round = 0; round < 100; round++) {
    const points = star(random)
    const [x, y] = [random.next(), random.next()]
    let least = Infinity
    for (const [index, [x1, y1]] of points.entries()) {
      const [x2, y2] = points[(index + 1) % points.length]!
      for (let step = 0; step <= 2000; step++) {
        const share = step / 2000
        least = Math.min(least, Math.hypot(x - x1 - share * (x2 - x1), y - y1 - share * (y2 - y1)))
      }
    }
    const distance = distanceToEdge(cornersOf(points), x, y)
    t.ok(distance <= least + 1e-12 && distance > least - 1e-3, `${distance} of ${least}`)
  }
  t.equal(
    areaOf([
      [0, 0],
      [1, 0],
      [1, 0.5],
      [0, 0.5],
    ]),
    0.5,
  )
  t.end()
})
