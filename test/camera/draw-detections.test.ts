import sharp from 'sharp'
import t from 'tap'
import { detectionsSvg, drawDetections, drawnBox } from '../../src/camera/draw-detections.js'
import { classColor } from '../../src/yolo/class-color.js'

const picture = { data: new Uint8Array(200 * 100 * 3).fill(10), width: 200, height: 100 }
const detection = { classIndex: 3, score: 0.875, x1: 40, y1: 50, x2: 160, y2: 90 }

t.test('a box in the colour of its class, a label above it, and nothing else changes', async (t) => {
  const { data, info } = await drawDetections(picture, [detection], ['a', 'b', 'c', 'd'])
    .raw()
    .toBuffer({ resolveWithObject: true })
  t.same([info.width, info.height, info.channels], [200, 100, 3])
  const at = (x: number, y: number): number[] => [...data.subarray((y * 200 + x) * 3, (y * 200 + x) * 3 + 3)]
  const { red, green, blue } = classColor(3)
  t.same(at(100, 50), [red, green, blue], 'the upper edge')
  t.same(at(100, 70), [10, 10, 10], 'inside')
  t.same(at(5, 5), [10, 10, 10], 'outside')
  t.same(at(41, 37), [red, green, blue], 'the label')
})

t.test('labels stay within the picture and say class and score', (t) => {
  const corner = { classIndex: 0, score: 0.5, x1: 190, y1: 0, x2: 200, y2: 8 }
  const svg = detectionsSvg(picture, [corner], ['traffic light'])
  t.match(svg, />traffic light 0\.50</)
  const [, x, width] = /<rect x="([\d.]+)" y="0\.0" width="(\d+)" height="\d+" fill="#/.exec(svg) ?? []
  t.ok(Number(x) + Number(width) <= 200)
  t.end()
})

t.test('a name cannot break the drawing', async (t) => {
  const names = ['<script>&"\u0007']
  t.match(detectionsSvg(picture, [{ ...detection, classIndex: 0 }], names), '&lt;script&gt;&amp;&quot;')
  await t.resolves(
    drawDetections(picture, [{ ...detection, classIndex: 0 }], names)
      .png()
      .toBuffer(),
  )
  t.match(detectionsSvg(picture, [detection], []), 'class 3 0.88', 'a class without a name has its number')
})

t.test('the first eighty classes have colours of their own', (t) => {
  const colours = new Set(Array.from({ length: 80 }, (_, index) => JSON.stringify(classColor(index))))
  t.equal(colours.size, 80)
  t.end()
})

t.test('one box is drawn into a JPEG by shares of its picture', async (t) => {
  const grey = sharp({ create: { width: 100, height: 50, channels: 3, background: '#808080' } })
  const jpeg = await drawnBox(await grey.jpeg().toBuffer(), [0.2, 0.4, 0.8, 0.9], '<b>&')
  const { data, info } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true })
  t.same([info.width, info.height], [100, 50])
  const isMarked = (x: number, y: number): boolean => {
    const at = (y * info.width + x) * info.channels
    return [0, 1, 2].some((channel) => Math.abs(data[at + channel]! - 128) > 30)
  }
  t.ok(isMarked(50, 45) && isMarked(20, 40) && isMarked(80, 40), 'on the edges')
  t.notOk(isMarked(50, 38) || isMarked(5, 5), 'inside and far away')
})
