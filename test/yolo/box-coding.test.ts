import t from 'tap'
import { boxCodingOf, requireProbabilities } from '../../src/yolo/box-coding.js'

const width = 96
const height = 64
const strides = [8, 16, 32]

/** Boxes around all anchors, each `reach(anchor)` pixels in every direction. */
function boxes(
  reach: (anchor: number) => number,
  form: { readonly corners?: boolean; readonly inShares?: boolean; readonly byAnchor?: boolean },
): Parameters<typeof boxCodingOf>[0] {
  const rows = strides.flatMap((stride) =>
    Array.from({ length: (width / stride) * (height / stride) }, (_, cell) => [
      ((cell % (width / stride)) + 0.5) * stride,
      (Math.floor(cell / (width / stride)) + 0.5) * stride,
    ]),
  )
  const anchors = rows.length
  const values = new Float32Array(4 * anchors)
  const [numberStep, anchorStep] = form.byAnchor === true ? [1, 4] : [anchors, 1]
  rows.forEach(([x, y], anchor) => {
    const r = reach(anchor)
    const numbers = form.corners === true ? [x! - r, y! - r, x! + r, y! + r] : [x!, y!, 2 * r, 2 * r]
    numbers.forEach((number, at) => {
      const unit = form.inShares === true ? (at % 2 === 0 ? width : height) : 1
      values[at * numberStep + anchor * anchorStep] = number / unit
    })
  })
  return { values, numberStep, anchorStep, anchors }
}

t.test('centres or corners, pixels or shares, in either order of memory', (t) => {
  const reaches = [() => 20, (anchor: number) => 4 + ((anchor * 37) % 50), (anchor: number) => anchor % 3]
  for (const reach of reaches) {
    for (const corners of [false, true]) {
      for (const inShares of [false, true]) {
        for (const byAnchor of [false, true]) {
          t.same(boxCodingOf(boxes(reach, { corners, inShares, byAnchor }), width, height), {
            corners,
            inShares,
          })
        }
      }
    }
  }
  t.end()
})

t.test('boxes that tell nothing are centres in pixels', (t) => {
  const same = { values: new Float32Array(4 * 126).fill(32), numberStep: 126, anchorStep: 1, anchors: 126 }
  t.same(boxCodingOf(same, width, height), { corners: false, inShares: false })
  const none = { ...same, values: new Float32Array(4 * 126) }
  t.same(boxCodingOf(none, width, height), { corners: false, inShares: false })
  t.end()
})

t.test('probabilities are told from logits, boxes between them are no scores', (t) => {
  const joint = { offset: 4, anchors: 2, firstAnchor: 0, classes: 2, anchorStep: 6 }
  const values = Float32Array.of(50, 60, 70, 80, 0, 1, 50, 60, 70, 80, 0.5, 1.001)
  t.doesNotThrow(() => {
    requireProbabilities({ ...joint, values }, 'o')
  })
  t.throws(
    () => {
      requireProbabilities({ ...joint, values, offset: 3 }, 'o')
    },
    {
      code: 'inference.output_invalid',
      message: /output o of the model has a score of 80\.0/,
    },
  )
  const planes = { offset: 0, anchors: 3, firstAnchor: 0, classes: 1, values: Float32Array.of(0, 0.2, -3) }
  t.throws(
    () => {
      requireProbabilities(planes, 'o')
    },
    { message: /score of -3/ },
  )
  t.end()
})
