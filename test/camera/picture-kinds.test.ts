import t from 'tap'
import { readImageSize, readRgb } from '../../src/camera/read-image.js'
import { fixture } from '../helpers/paths.js'
import { explainedPictures, readPictureKinds } from '../helpers/picture-kinds.js'

t.test('every kind of picture has the pixels of the reader of Ultralytics, or is refused', async (t) => {
  const readings = await readPictureKinds()
  t.ok(readings.length > 70)
  for (const { file, difference, refused, reference } of readings) {
    if (file in explainedPictures) {
      t.match(refused, /convert it/, `${file} is refused with a remedy`)
    } else if (reference === undefined) t.same(difference, { largest: 0, mean: 0 }, file)
    else t.match(refused, /convert it to 8 bits/, `${file}: Ultralytics has no pixels of it either`)
  }
})

t.test('float samples are refused, not read as black', async (t) => {
  for (const file of [
    'tiff-float-gray.tif',
    'tiff-float-color.tif',
    'tiff-float255-color.tif',
    'tiff-int32-gray.tif',
  ]) {
    const refusal = { code: 'image.decode_failed', message: new RegExp(`${file}.*expected 8 or 16 bits`) }
    await t.rejects(readRgb(fixture('pictures', file)), refusal)
    await t.rejects(readImageSize(fixture('pictures', file)), refusal, 'already by its head')
  }
})

t.test('the size is known from the head, upright', async (t) => {
  for (const file of ['bmp-24-top-down.bmp', 'tiff-8-tiled.tif', 'jpeg-cmyk.jpg'])
    t.same(await readImageSize(fixture('pictures', file)), { width: 24, height: 16 }, file)
  for (const file of ['jpeg-orientation-6.jpg', 'png-orientation-6.png', 'webp-orientation-6.webp'])
    t.same(await readImageSize(fixture('pictures', file)), { width: 16, height: 24 }, file)
})
