import t from 'tap'
import { seededRandom } from '../../src/base/random.js'
import { logitOf } from '../../src/yolo/byte-scale.js'
import { placeOutputs } from '../../src/yolo/output-memory.js'
import { scanScores } from '../../src/yolo/score-plane.js'

/** The array as a caller has it, and where a session has its outputs. */
function placesOf<T extends Float32Array | Uint8Array>(array: T): readonly T[] {
  return [array, placeOutputs(new Map([['out', array]])).get('out') as T]
}

t.test('visits every value above the threshold, whatever the size of the plane', (t) => {
  const random = seededRandom(9)
  for (let anchors = 1; anchors <= 39; anchors++) {
    const classes = 1 + random.integer(4)
    const offset = random.integer(5)
    const values = Float32Array.from({ length: offset + classes * anchors }, () => random.next())
    const expected: number[][] = []
    for (let classIndex = 0; classIndex < classes; classIndex++) {
      for (let anchor = 0; anchor < anchors; anchor++) {
        const value = values[offset + classIndex * anchors + anchor]!
        if (value > 0.7) expected.push([100 + anchor, classIndex, value])
      }
    }
    for (const placed of placesOf(values)) {
      const visited: number[][] = []
      const plane = { values: placed, offset, anchors, firstAnchor: 100, classes }
      scanScores(plane, 0.7, (...hit) => visited.push(hit))
      t.same(visited, expected)
    }
  }
  t.end()
})

t.test('NaN and the threshold itself are not above it', (t) => {
  for (const values of placesOf(Float32Array.of(NaN, 0.5, 0.75, NaN, 0.5, 0.5, 0.5, 0.5, 0.5, NaN))) {
    const visited: number[] = []
    const plane = { values, offset: 0, anchors: 10, firstAnchor: 0, classes: 1 }
    scanScores(plane, 0.5, (anchor) => visited.push(anchor))
    t.same(visited, [2])
  }
  t.end()
})

t.test('a threshold between two float32 numbers parts them, whichever of them is nearer', (t) => {
  const low = Math.fround(0.3)
  const high = new Float32Array(
    new Uint32Array([new Uint32Array(Float32Array.of(low).buffer)[0]! + 1]).buffer,
  )[0]!
  const values = Float32Array.of(low, high, low, high)
  for (const share of [0, 0.1, 0.9]) {
    const visited: number[] = []
    const plane = { values, offset: 0, anchors: 4, firstAnchor: 0, classes: 1 }
    scanScores(plane, low + share * (high - low), (anchor) => visited.push(anchor))
    t.same(visited, [1, 3], `${share} of the way`)
  }
  t.end()
})

t.test('one score is found wherever it lies among blocks', (t) => {
  const anchors = 200
  for (let place = 0; place < anchors; place++) {
    const values = new Float32Array(anchors).fill(-9)
    values[place] = 1
    const bytes = Uint8Array.from(values, (value) => (value > 0 ? 200 : 100))
    for (const [floats, integers] of [
      [values, bytes],
      [placesOf(values)[1]!, placesOf(bytes)[1]!],
    ] as const) {
      const visited: number[] = []
      const visit = (anchor: number): unknown => visited.push(anchor)
      const plane = { anchors, firstAnchor: 0, classes: 1 }
      scanScores({ ...plane, values: floats, offset: 0 }, 0, visit)
      scanScores({ ...plane, bytes: integers, scale: 1, zeroPoint: 150 }, 0, visit)
      t.same(visited, [place, place])
    }
  }
  t.end()
})

t.test('bytes above the threshold are found wherever the threshold lies', (t) => {
  const random = seededRandom(4)
  const scale = { scale: Math.fround(0.1), zeroPoint: 100 }
  for (let anchors = 1; anchors <= 13; anchors++) {
    const classes = 1 + random.integer(7)
    const bytes = Uint8Array.from({ length: anchors * classes }, () => random.integer(256))
    for (const threshold of [-11, -10, -9.97, -1.1, 0, logitOf(127, scale), 2.71, 2.8, 15.4, 15.5, 20]) {
      const expected: number[][] = []
      for (const [at, byte] of bytes.entries()) {
        const value = logitOf(byte, scale)
        if (value > threshold) expected.push([50 + Math.floor(at / classes), at % classes, value])
      }
      for (const placed of placesOf(bytes)) {
        const visited: number[][] = []
        const plane = { bytes: placed, ...scale, anchors, firstAnchor: 50, classes }
        scanScores(plane, threshold, (...hit) => visited.push(hit))
        t.same(visited, expected, `${anchors} anchors, ${classes} classes, above ${threshold}`)
      }
    }
  }
  t.end()
})
