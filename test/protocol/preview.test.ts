import t from 'tap'
import {
  encodePreview,
  encodePreviewRequest,
  parsePreview,
  parsePreviewRequest,
} from '../../src/protocol/preview.js'
import { limits } from '../../src/protocol/limits.js'

const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xdb, 0x00, 0x02, 0xff, 0xd9)
const frame = { frameId: 812, capturedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678), width: 1920, height: 1080 }

t.test('a picture carries the number of its frame and stays a JPEG', (t) => {
  const bytes = encodePreview(jpeg, frame)
  t.same(parsePreview(bytes).frame, frame)
  t.same([...bytes.subarray(0, 4)], [0xff, 0xd8, 0xff, 0xfe], 'a comment segment behind the start')
  const length = bytes[4]! * 256 + bytes[5]!
  t.same(bytes.subarray(4 + length), jpeg.subarray(2), 'then the rest, untouched')
  t.end()
})

t.test('a picture without the number is still a picture', (t) => {
  t.same(parsePreview(jpeg), { jpeg })
  const other = Uint8Array.of(0xff, 0xd8, 0xff, 0xfe, 0x00, 0x04, 0x68, 0x69, 0xff, 0xd9)
  t.equal(parsePreview(other).frame, undefined, 'the comment of another program')
  const cut = encodePreview(jpeg, frame).slice(0, 20)
  t.equal(parsePreview(cut).frame, undefined, 'a comment that is cut off')
  const forged = encodePreview(jpeg, frame)
  forged.set(new TextEncoder().encode('"x"'), 30)
  t.equal(parsePreview(forged).frame, undefined, 'a comment that is not ours inside')
  t.end()
})

t.test('what is no JPEG or too large is refused', (t) => {
  t.throws(() => parsePreview(new TextEncoder().encode('<svg onload=alert(1)>')), {
    code: 'protocol.payload_malformed',
  })
  const large = new Uint8Array(limits.previewBytes + 1)
  t.throws(() => parsePreview(large), { code: 'protocol.payload_oversized' })
  t.throws(() => encodePreview(Uint8Array.of(0x89, 0x50), frame), { code: 'protocol.payload_malformed' })
  t.end()
})

t.test('the request for pictures survives the wire and is bounded', (t) => {
  const request = { cameras: ['front'], forMs: 15_000, fpsMax: 10, widthMax: 1280 }
  t.same(parsePreviewRequest(encodePreviewRequest(request)), request)
  t.same(parsePreviewRequest(encodePreviewRequest({ forMs: 0 })), { forMs: 0 })
  for (const args of [
    {},
    { for_ms: -1 },
    { for_ms: 1e9 },
    { for_ms: 1, cameras: ['../x'] },
    { for_ms: 1, fps_max: 0 },
  ])
    t.throws(() => parsePreviewRequest(args), { code: 'protocol.payload_malformed' }, JSON.stringify(args))
  t.end()
})
