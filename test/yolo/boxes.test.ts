import t from 'tap'
import { boxArea, boxIou, toSourceBox } from '../../src/yolo/boxes.js'
import { letterbox } from '../../src/yolo/letterbox.js'

const box = (x1: number, y1: number, x2: number, y2: number) => ({ x1, y1, x2, y2 })

t.test('overlap is shared area over common area', (t) => {
  t.equal(boxIou(box(0, 0, 2, 2), box(0, 0, 2, 2)), 1)
  t.equal(boxIou(box(0, 0, 2, 2), box(1, 1, 3, 3)), 1 / 7)
  t.equal(boxIou(box(0, 0, 2, 2), box(2, 0, 4, 2)), 0)
  t.equal(boxIou(box(0, 0, 0, 0), box(0, 0, 0, 0)), 0)
  t.equal(boxArea(box(2, 0, 1, 5)), 0)
  t.end()
})

t.test('a box maps back to the picture and is clipped there', (t) => {
  const wide = letterbox({ width: 1280, height: 720 }, { width: 640, height: 640 })
  t.same(toSourceBox(box(0, 140, 640, 500), wide), box(0, 0, 1280, 720))
  t.same(toSourceBox(box(10, 150, 20, 160), wide), box(20, 20, 40, 40))
  t.same(toSourceBox(box(-5, 0, 700, 640), wide), box(0, 0, 1280, 720))
  t.end()
})

t.test('the whole scaled picture maps to the whole picture even where rounding stretched it', (t) => {
  const odd = letterbox({ width: 333, height: 77 }, { width: 320, height: 320 })
  const { padLeft, padTop, scaledWidth, scaledHeight } = odd
  const mapped = toSourceBox(box(padLeft, padTop, padLeft + scaledWidth, padTop + scaledHeight), odd)
  t.same(mapped, box(0, 0, 333, 77))
  t.end()
})
