import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { openCalibrationFolder } from '../../../src/cli/compress/calibration-folder.js'

/** Forty pictures, each of one grey that tells which it is. */
const pictures: Record<string, Buffer> = {}
for (let index = 0; index < 40; index++) {
  const background = { r: 5 * index, g: 5 * index, b: 5 * index }
  const picture = sharp({ create: { width: 32, height: 32, channels: 3, background } })
  pictures[`${index}.png`] = await picture.png().toBuffer()
}
const few = (count: number): Record<string, Buffer> =>
  Object.fromEntries(Object.entries(pictures).slice(0, count))
const reading = { note: () => undefined, strict: false }
const folder = t.testdir({ forty: pictures, eight: few(8), sixteen: few(16), dataset: { images: few(9) } })

async function numbersIn(images: { readonly count: number; read: Reader }): Promise<readonly number[]> {
  const numbers: number[] = []
  for (let index = 0; index < images.count; index++)
    numbers.push((await images.read(index, { width: 32, height: 32 }))[0]! / 5)
  return numbers
}
type Reader = (index: number, size: { width: number; height: number }) => Promise<Uint8Array>

t.test('pictures are held out of calibration from sixteen on', async (t) => {
  for (const [name, limit, count, heldOut] of [
    ['eight', 128, 8, 0],
    ['sixteen', 128, 14, 2],
    ['forty', 128, 35, 5],
    ['forty', 16, 16, 2],
    ['forty', 39, 36, 4],
    ['forty', 8, 8, 0],
  ] as const) {
    const opened = await openCalibrationFolder(join(folder, name), limit, reading)
    t.same([opened.count, opened.heldOut.count], [count, heldOut], `${name}, at most ${limit}`)
    const [used, kept] = [await numbersIn(opened), await numbersIn(opened.heldOut)]
    t.equal(new Set([...used, ...kept]).size, count + heldOut, 'each picture once')
  }
})

t.test('a data set is calibrated with by its images', async (t) => {
  t.equal((await openCalibrationFolder(join(folder, 'dataset'), 128, reading)).count, 9)
})
