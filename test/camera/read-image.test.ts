import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Sharp } from 'sharp'
import sharp from 'sharp'
import t from 'tap'
import { readImageSize, readLetterboxed, readRgb } from '../../src/camera/read-image.js'
import { shared, skipWithout } from '../helpers/paths.js'

/** 4x2: the left half red, the right half blue. */
function flag(): Sharp {
  const data = Uint8Array.from({ length: 24 }, (_, index) => {
    const channel = index % 3
    const isLeft = Math.floor(index / 3) % 4 < 2
    return channel === (isLeft ? 0 : 2) ? 255 : 0
  })
  return sharp(data, { raw: { width: 4, height: 2, channels: 3 } })
}

t.test('a picture is read as RGB rows', async (t) => {
  const picture = await readRgb(await flag().png().toBuffer())
  t.equal(picture.width, 4)
  t.equal(picture.height, 2)
  t.same([...picture.data.subarray(0, 12)], [255, 0, 0, 255, 0, 0, 0, 0, 255, 0, 0, 255])
})

t.test('the EXIF orientation is applied to the size and to the pixels', async (t) => {
  const turned = await flag().withMetadata({ orientation: 6 }).png().toBuffer()
  t.same(await readImageSize(turned), { width: 2, height: 4 })
  const picture = await readRgb(turned)
  t.same([picture.width, picture.height], [2, 4])
  t.same([...picture.data.subarray(0, 3)], [255, 0, 0], 'a quarter turn right: red is above')
  t.same([...picture.data.subarray(-3)], [0, 0, 255], 'and blue below')
})

t.test('grey, 16-bit, transparent and CMYK pictures become three bytes a pixel', async (t) => {
  const grey = await flag().greyscale().png().toBuffer()
  const deep = await flag().toColourspace('rgb16').png().toBuffer()
  const clear = await flag().ensureAlpha(0).png().toBuffer()
  const cmyk = await flag().toColourspace('cmyk').jpeg().toBuffer()
  for (const bytes of [grey, deep, clear, cmyk]) t.equal((await readRgb(bytes)).data.length, 24)
  t.same([...(await readRgb(clear)).data.subarray(0, 3)], [255, 0, 0], 'transparent parts keep their color')
  t.same([...(await readRgb(deep)).data.subarray(0, 3)], [255, 0, 0])
})

t.test('a letterboxed picture has the geometry and the grey', async (t) => {
  const { pixels, letterbox } = await readLetterboxed(await flag().png().toBuffer(), { width: 8, height: 8 })
  t.match(letterbox, {
    sourceWidth: 4,
    sourceHeight: 2,
    scaledWidth: 8,
    scaledHeight: 4,
    padLeft: 0,
    padTop: 2,
  })
  t.same([...pixels.subarray(0, 3)], [114, 114, 114])
  t.same([...pixels.subarray(2 * 24, 2 * 24 + 3)], [255, 0, 0])
})

t.test('what is no whole picture is refused by name', async (t) => {
  const whole = await sharp({ create: { width: 300, height: 300, channels: 3, background: '#123' } })
    .composite([{ input: await flag().resize(200, 100).png().toBuffer() }])
    .jpeg()
    .toBuffer()
  const folder = t.testdir({ 'note.txt': 'no picture', 'empty.jpg': '' })
  writeFileSync(join(folder, 'cut.jpg'), whole.subarray(0, whole.length / 2))
  for (const name of ['note.txt', 'empty.jpg', 'cut.jpg', 'missing.jpg']) {
    const path = join(folder, name)
    await t.rejects(readRgb(path), { code: 'image.decode_failed', message: new RegExp(name) }, name)
  }
  await t.rejects(readRgb(whole.subarray(0, 100)), { code: 'image.decode_failed' })
  await t.rejects(readImageSize(new Uint8Array([1, 2, 3])), { message: /an image of 3 bytes/ })
})

t.test('a real photograph', { skip: skipWithout('images', 'bus.jpg') }, async (t) => {
  t.same(await readImageSize(shared('images', 'bus.jpg')), { width: 810, height: 1080 })
  const fromPath = await readLetterboxed(shared('images', 'bus.jpg'), { width: 640, height: 640 })
  const fromBytes = await readLetterboxed(readFileSync(shared('images', 'bus.jpg')), {
    width: 640,
    height: 640,
  })
  t.match(fromPath.letterbox, { scaledWidth: 480, scaledHeight: 640, padLeft: 80, padTop: 0 })
  t.ok(Buffer.from(fromPath.pixels).equals(fromBytes.pixels))
})
