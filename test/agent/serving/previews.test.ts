import sharp from 'sharp'
import t from 'tap'
import { Previews } from '../../../src/agent/serving/previews.js'
import { silentLogger } from '../../../src/base/logger.js'
import type { FrameLease } from '../../../src/pipeline/ports.js'
import { parsePreview } from '../../../src/protocol/preview.js'
import { letterbox } from '../../../src/yolo/letterbox.js'
import { TestClock } from '../../helpers/test-clock.js'

/** A frame of 128 x 96 in an input of 64 x 64, all of one grey. */
function frameOf(frameId: number, value: number): FrameLease {
  const pixels = new SharedArrayBuffer(64 * 64 * 3)
  new Uint8Array(pixels).fill(value)
  return {
    frameId,
    capturedAtMs: 1000 * frameId,
    pixels,
    byteOffset: 0,
    byteLength: pixels.byteLength,
    letterbox: letterbox({ width: 128, height: 96 }, { width: 64, height: 64 }),
    release: () => undefined,
  }
}

interface Sent {
  readonly camera: string
  readonly jpeg: Uint8Array<ArrayBuffer>
}

function previewsWith(
  clock: TestClock,
  standing: { readonly standingPeriodMs?: number } = {},
): { readonly previews: Previews; readonly sent: Sent[] } {
  const sent: Sent[] = []
  const previews = new Previews({
    send: (camera, jpeg) => {
      sent.push({ camera, jpeg: Uint8Array.from(jpeg) })
      return Promise.resolve()
    },
    ...standing,
    clock,
    logger: silentLogger,
  })
  return { previews, sent }
}

async function until(condition: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 3000; attempt++) {
    if (condition()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('the condition did not come true')
}

t.test('a picture is sent only while somebody asks, and says which frame it is', async (t) => {
  const clock = new TestClock()
  const { previews, sent } = previewsWith(clock)
  const tap = previews.tapOf('door')
  tap.look(frameOf(1, 10))
  t.same(previews.answer({ for_ms: 1000, fps_max: 10 }), { cameras: ['door'], for_ms: 1000 })
  const lent = frameOf(2, 200)
  tap.look(lent)
  new Uint8Array(lent.pixels).fill(0)
  await until(() => sent.length === 1)
  const { frame, jpeg } = parsePreview(sent[0]!.jpeg)
  t.same(frame, { frameId: 2, capturedAtMs: 2000, width: 128, height: 96 })
  const { data, info } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true })
  t.same([info.width, info.height], [64, 48], 'without the padding')
  t.ok(Math.abs(data[0]! - 200) < 6, 'the pixels of the time of the look')

  tap.look(frameOf(3, 10))
  t.equal(sent.length, 1, 'sooner than was asked')
  clock.advance(500)
  tap.look(frameOf(4, 10))
  await until(() => sent.length === 2)
  clock.advance(501)
  tap.look(frameOf(5, 10))
  previews.answer({ for_ms: 5000 })
  previews.answer({ for_ms: 0 })
  tap.look(frameOf(6, 10))
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.equal(sent.length, 2, 'the lease is over')
})

t.test('each camera has its own lease, and its own size', async (t) => {
  const clock = new TestClock()
  const { previews, sent } = previewsWith(clock)
  const [door, yard] = [previews.tapOf('door'), previews.tapOf('yard')]
  previews.answer({ for_ms: 1000, cameras: ['yard'], width_max: 64 })
  door.look(frameOf(1, 10))
  yard.look(frameOf(1, 10))
  await until(() => sent.length === 1)
  t.equal(sent[0]!.camera, 'yard')
  t.end()
})

t.test('a wrong question is refused by name', (t) => {
  const { previews } = previewsWith(new TestClock())
  previews.tapOf('door')
  t.throws(() => previews.answer({ for_ms: 1000, cameras: ['moon'] }), {
    code: 'protocol.name_invalid',
    message: /no camera moon in use: expected one of door/,
  })
  t.throws(() => previews.answer({ for_ms: -1 }), { code: 'protocol.payload_malformed', message: /forMs/ })
  t.throws(() => previews.answer(undefined), { code: 'protocol.payload_malformed' })
  t.end()
})

t.test('a standing wish sends a picture now and then, and who asks for more gets more', async (t) => {
  const clock = new TestClock()
  const { previews, sent } = previewsWith(clock, { standingPeriodMs: 10_000 })
  const tap = previews.tapOf('door')
  tap.look(frameOf(1, 10))
  await until(() => sent.length === 1)
  clock.advance(5000)
  tap.look(frameOf(2, 10))
  previews.answer({ for_ms: 3000, fps_max: 1 })
  clock.advance(1000)
  tap.look(frameOf(3, 10))
  await until(() => sent.length === 2)
  clock.advance(2500)
  tap.look(frameOf(4, 10))
  clock.advance(10_000)
  tap.look(frameOf(5, 10))
  await until(() => sent.length === 3)
  t.same(
    sent.map(({ jpeg }) => parsePreview(jpeg).frame?.frameId),
    [1, 3, 4],
  )
})
