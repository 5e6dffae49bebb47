import t from 'tap'
import { seededRandom } from '../../src/base/random.js'
import { logitOf } from '../../src/yolo/byte-scale.js'
import { scanScores } from '../../src/yolo/score-plane.js'

t.test('visits every value above the threshold, whatever the size of the plane', (t) => {
  const random = seededRandom(9)
  for (let anchors = 1; anchors <= 19; anchors++) {
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
    const visited: number[][] = []
    scanScores({ values, offset, anchors, firstAnchor: 100, classes }, 0.7, (...hit) => visited.push(hit))
    t.same(visited, expected)
  }
  t.end()
})

t.test('NaN and the threshold itself are not above it', (t) => {
  const visited: number[] = []
  const values = Float32Array.of(NaN, 0.5, 0.75, NaN, 0.5, 0.5, 0.5, 0.5, 0.5, NaN)
  const plane = { values, offset: 0, anchors: 10, firstAnchor: 0, classes: 1 }
  scanScores(plane, 0.5, (anchor) => visited.push(anchor))
  t.same(visited, [2])
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
      const visited: number[][] = []
      const plane = { bytes, ...scale, anchors, firstAnchor: 50, classes }
      scanScores(plane, threshold, (...hit) => visited.push(hit))
      t.same(visited, expected, `${anchors} anchors, ${classes} classes, above ${threshold}`)
    }
  }
  t.end()
})
