import t from 'tap'
import { classColor, cssColor } from '../../src/yolo/class-color.js'

t.test('the first eighty classes have colors of their own, bright enough for dark letters', (t) => {
  const colors = Array.from({ length: 80 }, (_, index) => classColor(index))
  t.equal(new Set(colors.map(cssColor)).size, 80)
  for (const { red, green, blue } of colors) {
    for (const part of [red, green, blue]) t.ok(part >= 0 && part <= 255)
    t.ok(0.299 * red + 0.587 * green + 0.114 * blue > 120, cssColor({ red, green, blue }))
  }
  t.end()
})

t.test('as CSS has it', (t) => {
  t.equal(cssColor(classColor(0)), '#5ee0b5')
  t.equal(cssColor({ red: 0, green: 10, blue: 255 }), '#000aff')
  t.end()
})
