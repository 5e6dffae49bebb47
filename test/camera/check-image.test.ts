import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { checkImage } from '../../src/camera/check-image.js'
import { fixture } from '../helpers/paths.js'

const kinds = [
  'jpeg-420.jpg',
  'png-8-color.png',
  'webp-lossy.webp',
  'gif.gif',
  'bmp-24.bmp',
  'bmp-32.bmp',
  'tiff-8-color.tif',
]

t.test('a whole picture passes with its size, one that is cut off does not', async (t) => {
  const folder = t.testdir()
  for (const kind of kinds) {
    const whole = readFileSync(fixture('pictures', kind))
    t.same(await checkImage(fixture('pictures', kind)), { width: 24, height: 16 }, kind)
    const path = join(folder, kind)
    for (const part of [0.8, 0.6, 0.1]) {
      writeFileSync(path, whole.subarray(0, Math.floor(whole.length * part)))
      const refusal = { code: 'image.decode_failed', message: new RegExp(kind) }
      await t.rejects(checkImage(path), refusal, `${kind}, ${part} of it`)
    }
  }
})

t.test('bytes behind the end of a JPEG do no harm', async (t) => {
  const path = join(t.testdir(), 'long.jpg')
  writeFileSync(path, Buffer.concat([readFileSync(fixture('pictures', 'jpeg-420.jpg')), Buffer.alloc(64)]))
  t.same(await checkImage(path), { width: 24, height: 16 })
})

t.test('a bitmap that claims more than it holds is refused before anything is allocated', async (t) => {
  const path = join(t.testdir(), 'huge.bmp')
  for (const [width, height] of [
    [30_000, 30_000],
    [100_000, 1],
    [0, 16],
  ] as const) {
    const bytes = readFileSync(fixture('pictures', 'bmp-24.bmp'))
    bytes.writeInt32LE(width, 18)
    bytes.writeInt32LE(height, 22)
    writeFileSync(path, bytes)
    await t.rejects(checkImage(path), { code: 'image.decode_failed', message: /huge\.bmp.*bitmap of/ })
  }
})
