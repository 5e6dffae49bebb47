import t from 'tap'
import { letterbox } from '../../src/yolo/letterbox.js'

// [source width, source height, input width, input height] -> [scaled width, scaled height, left, top],
// computed with Ultralytics 8.4.190: LetterBox(new_shape=(h, w), auto=False).get_params.
const cases: readonly (readonly [readonly number[], readonly number[]])[] = [
  [
    [1280, 720, 640, 640],
    [640, 360, 0, 140],
  ],
  [
    [640, 480, 640, 640],
    [640, 480, 0, 80],
  ],
  [
    [810, 1080, 640, 640],
    [480, 640, 80, 0],
  ],
  [
    [1281, 721, 640, 640],
    [640, 360, 0, 140],
  ],
  [
    [641, 1282, 640, 640],
    [320, 640, 160, 0],
  ],
  [
    [1282, 641, 640, 640],
    [640, 320, 0, 160],
  ],
  [
    [427, 640, 640, 640],
    [427, 640, 106, 0],
  ],
  [
    [333, 500, 640, 640],
    [426, 640, 107, 0],
  ],
  [
    [1, 1, 640, 640],
    [640, 640, 0, 0],
  ],
  [
    [5000, 2, 640, 640],
    [640, 1, 0, 319],
  ],
  [
    [1920, 1080, 640, 384],
    [640, 360, 0, 12],
  ],
  [
    [1920, 1080, 416, 416],
    [416, 234, 0, 91],
  ],
  [
    [333, 77, 320, 320],
    [320, 74, 0, 123],
  ],
  [
    [1283, 1280, 640, 640],
    [640, 639, 0, 0],
  ],
  [
    [1280, 5, 640, 640],
    [640, 2, 0, 319],
  ],
  [
    [1280, 3, 640, 640],
    [640, 2, 0, 319],
  ],
  [
    [975, 2428, 416, 640],
    [257, 640, 79, 0],
  ],
  [
    [2474, 1942, 320, 320],
    [320, 251, 0, 34],
  ],
  [
    [1922, 1063, 416, 320],
    [416, 230, 0, 45],
  ],
  [
    [2938, 1927, 640, 640],
    [640, 420, 0, 110],
  ],
  [
    [2618, 617, 416, 320],
    [416, 98, 0, 111],
  ],
  [
    [2143, 1598, 320, 320],
    [320, 239, 0, 40],
  ],
  [
    [653, 2422, 320, 640],
    [173, 640, 73, 0],
  ],
  [
    [128, 1104, 640, 640],
    [74, 640, 283, 0],
  ],
  [
    [2926, 1749, 640, 640],
    [640, 383, 0, 128],
  ],
  [
    [550, 1498, 320, 320],
    [117, 320, 101, 0],
  ],
  [
    [557, 2028, 416, 640],
    [176, 640, 120, 0],
  ],
  [
    [2753, 1787, 480, 640],
    [480, 312, 0, 164],
  ],
  [
    [2078, 1581, 480, 640],
    [480, 365, 0, 137],
  ],
  [
    [2394, 952, 480, 320],
    [480, 191, 0, 64],
  ],
  [
    [1146, 2482, 416, 640],
    [296, 640, 60, 0],
  ],
  [
    [2220, 2343, 320, 320],
    [303, 320, 8, 0],
  ],
  [
    [2593, 2350, 480, 640],
    [480, 435, 0, 102],
  ],
  [
    [510, 260, 640, 640],
    [640, 326, 0, 157],
  ],
  [
    [363, 1410, 320, 640],
    [165, 640, 77, 0],
  ],
  [
    [618, 83, 480, 640],
    [480, 64, 0, 288],
  ],
  [
    [1701, 488, 320, 320],
    [320, 92, 0, 114],
  ],
  [
    [1548, 2943, 480, 640],
    [337, 640, 71, 0],
  ],
  [
    [2071, 967, 320, 640],
    [320, 149, 0, 245],
  ],
  [
    [30, 316, 320, 320],
    [30, 320, 145, 0],
  ],
]

t.test('agrees with the LetterBox of Ultralytics', (t) => {
  for (const [[width, height, inputWidth, inputHeight], expected] of cases) {
    const box = letterbox({ width: width!, height: height! }, { width: inputWidth!, height: inputHeight! })
    t.same([box.scaledWidth, box.scaledHeight, box.padLeft, box.padTop], expected, `${width}x${height}`)
  }
  t.end()
})

t.test('a picture of the size of the input is left as it is', (t) => {
  const box = letterbox({ width: 640, height: 640 }, { width: 640, height: 640 })
  t.match(box, { scale: 1, scaledWidth: 640, scaledHeight: 640 })
  t.ok(Object.is(box.padLeft, 0) && Object.is(box.padTop, 0))
  t.end()
})

t.test('a very thin picture keeps one pixel of its short side', (t) => {
  const box = letterbox({ width: 5000, height: 2 }, { width: 640, height: 640 })
  t.equal(box.scaledHeight, 1)
  t.equal(box.padTop, 319)
  t.end()
})
