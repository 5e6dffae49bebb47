import t from 'tap'
import { encodeDetections, type FrameDetections, parseDetections } from '../../src/protocol/detections.js'
import { limits } from '../../src/protocol/limits.js'
import { exampleFrame } from '../helpers/example-messages.js'

const textOf = (bytes: Uint8Array): Record<string, unknown> =>
  JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>

const frame: FrameDetections = {
  ...exampleFrame([]),
  detections: [
    { classIndex: 0, className: 'bolt', score: 0.9125, x1: 10.04, y1: 24, x2: 330.06, y2: 480, trackId: 7 },
    { classIndex: 4, score: 0.5, x1: 0, y1: 0, x2: 640, y2: 480 },
  ],
}

t.test('the full form names objects, in pixels and as shares of the picture', (t) => {
  const bytes = encodeDetections(frame, 'full')
  t.match(textOf(bytes), {
    schema: 2,
    objects: [
      {
        ...{ class: 'bolt', class_id: 0, score: 0.913, track_id: 7 },
        box: [10, 24, 330.1, 480],
        share: [0.0157, 0.05, 0.5157, 1],
      },
      { class: 'class 4', class_id: 4 },
    ],
  })
  t.notOk('track_id' in (textOf(bytes)['objects'] as object[])[1]!)
  t.match(parseDetections(bytes).detections, [
    { className: 'bolt', trackId: 7, x2: 330.1 },
    { className: 'class 4' },
  ])
  t.end()
})

t.test('the compact form is read by the same reader', (t) => {
  const bytes = encodeDetections(frame, 'compact')
  t.match(textOf(bytes), { schema: 1, classes: [0, 4], track_ids: [7, 0] })
  const [first, second] = parseDetections(bytes).detections
  t.match(first, { classIndex: 0, trackId: 7, x1: 10, score: 0.913 })
  t.same([first?.className, second?.trackId], [undefined, undefined])
  t.notOk('track_ids' in textOf(encodeDetections(exampleFrame([{ classIndex: 1, score: 1 }]), 'compact')))
  t.ok(bytes.byteLength < encodeDetections(frame, 'full').byteLength)
  t.end()
})

t.test(
  'a frame with more objects than a full message holds goes out compact, and too many not at all',
  (t) => {
    const many = (count: number): FrameDetections =>
      exampleFrame(Array.from({ length: count }, (_, index) => ({ classIndex: index % 80, score: 0.5 })))
    const bytes = encodeDetections(many(1500), 'full')
    t.ok(bytes.byteLength <= limits.detectionsBytes)
    t.equal(textOf(bytes)['schema'], 1)
    t.equal(parseDetections(bytes).detections.length, 1500)
    const wide = many(3000).detections.map((each) => ({
      ...each,
      x1: 1000.5,
      y1: 1000.5,
      x2: 2000.5,
      y2: 2000.5,
    }))
    t.throws(() => encodeDetections({ ...many(0), detections: wide }, 'full'), {
      code: 'protocol.payload_oversized',
    })
    t.end()
  },
)

t.test('lists of different lengths, and forms of other versions, are refused with the place', (t) => {
  const changed = (change: object): Uint8Array =>
    Buffer.from(JSON.stringify({ ...textOf(encodeDetections(frame, 'compact')), ...change }))
  t.throws(() => parseDetections(changed({ track_ids: [1] })), { code: 'protocol.payload_malformed' })
  t.throws(() => parseDetections(changed({ schema: 3 })), { code: 'protocol.version_unsupported' })
  t.throws(() => parseDetections(changed({ schema: 2 })), /objects is missing/)
  t.end()
})
