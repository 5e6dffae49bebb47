import sharp from 'sharp'
import t from 'tap'
import { readLetterboxed } from '../../src/camera/read-image.js'
import { copiedFrame, noiseFrame, readFrame } from '../../src/camera/shared-frame.js'
import { letterbox } from '../../src/yolo/letterbox.js'

const size = { width: 64, height: 32 }

t.test('a picture is read into a frame as it is read anywhere', async (t) => {
  const background = { r: 200, g: 100, b: 50 }
  const picture = await sharp({ create: { width: 90, height: 60, channels: 3, background } })
    .png()
    .toBuffer()
  const frame = await readFrame(picture, size)
  const { pixels, letterbox: placed } = await readLetterboxed(picture, size)
  t.same(new Uint8Array(frame.pixels), pixels)
  t.same([frame.byteOffset, frame.letterbox], [0, placed])
  await t.rejects(readFrame(Buffer.from('no picture'), size), { code: 'image.decode_failed' })
})

t.test('a copy has memory of its own, and noise is the same each time', (t) => {
  const bytes = new Uint8Array(size.width * size.height * 3).fill(7)
  const copy = copiedFrame(bytes, letterbox(size, size))
  bytes.fill(0)
  t.ok(new Uint8Array(copy.pixels).every((value) => value === 7))
  const noise = new Uint8Array(noiseFrame(size).pixels)
  t.same(noise, new Uint8Array(noiseFrame(size).pixels))
  t.ok(new Set(noise).size > 200)
  t.end()
})
