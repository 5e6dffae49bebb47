import t from 'tap'
import { encodePreview } from '../../src/camera/encode-preview.js'
import { readRgb } from '../../src/camera/read-image.js'
import { letterbox } from '../../src/yolo/letterbox.js'

t.test('the preview shows the picture without the grey, no wider than asked', async (t) => {
  for (const source of [
    { width: 320, height: 160 },
    { width: 100, height: 400 },
  ]) {
    const box = letterbox(source, { width: 64, height: 64 })
    const pixels = new SharedArrayBuffer(64 * 64 * 3 * 2)
    const byteLength = 64 * 64 * 3
    const frame = new Uint8Array(pixels, byteLength, byteLength).fill(114)
    for (let y = box.padTop; y < box.padTop + box.scaledHeight; y++) {
      frame.fill(240, (y * 64 + box.padLeft) * 3, (y * 64 + box.padLeft + box.scaledWidth) * 3)
    }
    const lease = { pixels, byteOffset: byteLength, byteLength, letterbox: box }
    const whole = await readRgb(await encodePreview(lease))
    t.same([whole.width, whole.height], [box.scaledWidth, box.scaledHeight])
    t.ok(whole.data.every((byte) => byte > 230))
    const small = await readRgb(await encodePreview(lease, { quality: 50, maxWidth: 8 }))
    t.equal(small.width, 8)
  }
})
