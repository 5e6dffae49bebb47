import t from 'tap'
import { sha256Of } from '../../../../src/base/digest.js'
import { companionPictures } from '../../../../src/compress/quantization/calibration/companion-pictures.js'

const size = { width: 96, height: 64 }

t.test('the same index and size give the same picture, and every index another', async (t) => {
  const [first, second] = [companionPictures(), companionPictures()]
  const digests = new Set<string>()
  for (let index = 0; index < first.count; index++) {
    const pixels = await first.read(index, size)
    t.equal(pixels.length, 3 * size.width * size.height)
    t.same(await second.read(index, size), pixels)
    digests.add(sha256Of(pixels))
  }
  t.equal(digests.size, first.count)
  const other = await first.read(0, { width: 32, height: 32 })
  t.equal(other.length, 3 * 32 * 32)
  t.same(await first.read(0, size), await second.read(0, size), 'another size in between changes nothing')
})

t.test('every picture has dark and bright places, edges and colors', async (t) => {
  const pictures = companionPictures()
  for (let index = 0; index < pictures.count; index++) {
    const pixels = await pictures.read(index, size)
    let [darkest, brightest, steepest, colorful] = [255, 0, 0, 0]
    for (let at = 0; at < pixels.length; at++) {
      darkest = Math.min(darkest, pixels[at]!)
      brightest = Math.max(brightest, pixels[at]!)
      if (at % (3 * size.width) >= 3) steepest = Math.max(steepest, Math.abs(pixels[at]! - pixels[at - 3]!))
      if (at % 3 > 0) colorful = Math.max(colorful, Math.abs(pixels[at]! - pixels[at - 1]!))
    }
    t.ok(darkest < 20 && brightest > 235, `${index}: from ${darkest} to ${brightest}`)
    t.ok(steepest > 100 && colorful > 50, `${index}: edges of ${steepest}, colors ${colorful} apart`)
  }
})
