import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { sha256Of } from '../../src/base/digest.js'
import { openSource } from '../../src/camera/open-source.js'
import { panScene, shapesScene } from '../../src/camera/synthetic-source.js'
import { letterbox } from '../../src/yolo/letterbox.js'

const input = { width: 64, height: 64 }
const forever = new AbortController().signal

function drawn(scene: ReturnType<typeof shapesScene>, index: number): Uint8Array {
  const pixels = new Uint8Array(64 * 64 * 3).fill(114)
  scene.draw(pixels, index)
  return pixels
}

t.test('the same seed draws the same frames, another seed others', (t) => {
  const box = letterbox({ width: 64, height: 36 }, input)
  const digests = (seed: number): string[] =>
    [0, 1, 500].map((index) => sha256Of(drawn(shapesScene(box, seed), index)))
  t.same(digests(4), digests(4))
  t.equal(new Set([...digests(4), ...digests(5)]).size, 6)
  t.end()
})

t.test('nothing is drawn onto the grey border, however far the shapes have moved', (t) => {
  for (const source of [
    { width: 64, height: 36 },
    { width: 20, height: 64 },
  ]) {
    const box = letterbox(source, input)
    const picture = { data: new Uint8Array(source.width * source.height * 3).fill(1), ...source }
    for (const scene of [shapesScene(box, 2), panScene(picture, box)]) {
      for (let index = 0; index < 2000; index += 37) {
        const pixels = drawn(scene, index)
        const greys = Array.from({ length: 64 * 64 }, (_, at) => at).filter((at) => {
          const x = (at % 64) - box.padLeft
          const y = Math.floor(at / 64) - box.padTop
          return x < 0 || y < 0 || x >= box.scaledWidth || y >= box.scaledHeight
        })
        if (!greys.every((at) => pixels[at * 3] === 114)) t.fail(`frame ${index} spills`)
      }
    }
  }
  t.end()
})

t.test('a given picture wanders: frames differ, and show the picture only', (t) => {
  const size = { width: 80, height: 45 }
  const data = Uint8Array.from({ length: 80 * 45 * 3 }, (_, at) => 120 + (Math.floor(at / 3) % 80))
  const scene = panScene({ data, ...size }, letterbox(size, input))
  const digests = new Set<string>()
  for (let index = 0; index < 200; index += 10) {
    const pixels = drawn(scene, index)
    digests.add(sha256Of(pixels))
    const { padTop, scaledHeight } = scene.box
    t.ok(
      pixels.subarray(padTop * 192, (padTop + scaledHeight) * 192).every((byte) => byte >= 119 && byte < 200),
    )
  }
  t.ok(digests.size > 10)
  t.end()
})

t.test('frames come without any program', async (t) => {
  const supply = await openSource({
    uri: 'synthetic://?seed=3&fps=200',
    inputWidth: 64,
    inputHeight: 64,
    mode: 'live',
  })
  const first = await supply.next(forever)
  t.match(first?.letterbox, { sourceWidth: 1280, sourceHeight: 720 })
  first?.release()
  const second = await supply.next(forever)
  t.ok((second?.frameId ?? 0) > 1)
  second?.release()
  await supply.stop()
})

t.test('a folder of pictures is shown one after the other', async (t) => {
  const folder = t.testdir({})
  for (const [name, width] of [
    ['a.png', 40],
    ['b.png', 50],
  ] as const) {
    await sharp({ create: { width, height: 30, channels: 3, background: '#888' } }).toFile(join(folder, name))
  }
  const supply = await openSource({
    uri: `synthetic://${folder}`,
    inputWidth: 32,
    inputHeight: 32,
    mode: 'every-frame',
  })
  const widths = new Set<number>()
  for (let frame = 0; frame < 125; frame++) {
    const lease = await supply.next(forever)
    if (lease === undefined) break
    widths.add(lease.letterbox.sourceWidth)
    lease.release()
  }
  t.same([...widths], [40, 50])
  await supply.stop()
})

t.test('what cannot be shown is refused', async (t) => {
  const folder = t.testdir({ 'note.txt': '' })
  for (const path of [join(folder, 'gone.jpg'), join(folder, 'note.txt'), folder]) {
    const opening = openSource({ uri: `synthetic://${path}`, inputWidth: 64, inputHeight: 64, mode: 'live' })
    await t.rejects(opening, { code: 'camera.source_invalid' })
  }
})
