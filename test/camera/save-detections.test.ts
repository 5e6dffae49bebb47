import { existsSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { readRgb } from '../../src/camera/read-image.js'
import { drawingOf, saveDetections } from '../../src/camera/save-detections.js'

const box = { classIndex: 0, score: 0.9, x1: 20, y1: 60, x2: 100, y2: 120 }

t.test('the box is drawn where it is and the rest of the picture stays', async (t) => {
  const folder = t.testdir()
  const source = join(folder, 'grey.png')
  await sharp({ create: { width: 200, height: 150, channels: 3, background: '#808080' } })
    .png()
    .toFile(source)
  await saveDetections(source, join(folder, 'out.png'), [box], ['thing'])
  const { data, width, height } = await readRgb(join(folder, 'out.png'))
  t.same([width, height], [200, 150])
  const at = (x: number, y: number): number[] => [
    ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
  ]
  t.same(at(60, 90), [128, 128, 128], 'inside the box')
  t.same(at(180, 30), [128, 128, 128], 'outside the box')
  t.notSame(at(20, 90), [128, 128, 128], 'on its left side')
  t.notSame(at(60, 120), [128, 128, 128], 'on its lower side')
})

t.test('names cannot become markup', (t) => {
  const drawing = drawingOf([box], ['<script>"&'], 100, 100)
  t.notMatch(drawing, '<script>')
  t.match(drawing, '&lt;script&gt;&quot;&amp;')
  t.end()
})

t.test('an unknown ending and an unreadable picture are refused, and nothing is written', async (t) => {
  const folder = t.testdir({ 'text.png': 'no picture' })
  const target = join(folder, 'out.gif')
  await t.rejects(saveDetections('x', target, [], []), { code: 'cli.argument_invalid', message: /\.jpg/ })
  await t.rejects(saveDetections(join(folder, 'text.png'), join(folder, 'o.png'), [], []), {
    code: 'image.decode_failed',
  })
  t.notOk(existsSync(target) || existsSync(join(folder, 'o.png')))
})
