import t from 'tap'
import { type LazyBoxes, lazyBoxesEntry, lazyBoxesOf } from '../../src/yolo/lazy-boxes.js'

const lazy: LazyBoxes = {
  threshold: 'min_logit',
  levels: [{ box: 'p3_box', cls: 'p3_cls', tiles: { name: 'p3_tiles', height: 8, width: 9 } }],
}

t.test('what a file says of its boxes is read as it was written', (t) => {
  t.same(lazyBoxesOf(new Map([lazyBoxesEntry(lazy)])), lazy)
  t.equal(lazyBoxesOf(new Map()), undefined)
  t.end()
})

t.test('what cannot be read is nothing', (t) => {
  const [key] = lazyBoxesEntry(lazy)
  const level = lazy.levels[0]!
  const wrong: readonly unknown[] = [
    null,
    [],
    'tiles',
    {},
    { ...lazy, threshold: 3 },
    { ...lazy, levels: {} },
    { ...lazy, levels: [null] },
    { ...lazy, levels: [{ ...level, box: 1 }] },
    { ...lazy, levels: [{ ...level, cls: undefined }] },
    { ...lazy, levels: [{ ...level, tiles: null }] },
    { ...lazy, levels: [{ ...level, tiles: { ...level.tiles, height: 0 } }] },
    { ...lazy, levels: [{ ...level, tiles: { ...level.tiles, width: 1.5 } }] },
  ]
  for (const value of wrong) {
    const text = JSON.stringify(value)
    t.equal(lazyBoxesOf(new Map([[key, text]])), undefined, text)
  }
  t.equal(lazyBoxesOf(new Map([[key, 'no JSON']])), undefined)
  t.end()
})
