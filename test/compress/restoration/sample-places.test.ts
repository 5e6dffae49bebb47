import t from 'tap'

import { placesPerImage, samplePlaces } from '../../../src/compress/restoration/sample-places.js'

const map = { height: 40, width: 60 }

t.test('places are distinct, rising, inside the map, and the same each time', (t) => {
  const places = samplePlaces(map, 300, 5)
  t.equal(places.length, 300)
  for (let at = 1; at < places.length; at++) if (places[at]! <= places[at - 1]!) t.fail('not rising')
  t.ok(places.at(-1)! < 2400)
  t.same(samplePlaces(map, 300, 5), places)
  t.notSame(samplePlaces(map, 300, 6), places)
  t.same([...samplePlaces({ height: 2, width: 3 }, 100, 1)], [0, 1, 2, 3, 4, 5], 'a small map is taken whole')
  t.end()
})

t.test('half of them lie where the interest is, at any resolution', (t) => {
  const interest = { width: 6, height: 4, data: new Float32Array(24) }
  interest.data[2 * 6 + 3] = 1
  for (const scale of [1, 2]) {
    const size = { height: scale * map.height, width: scale * map.width }
    const places = samplePlaces(size, 100, 9, interest)
    const inside = places.filter((place) => {
      const [row, column] = [Math.floor(place / size.width), place % size.width]
      return Math.floor((row * 4) / size.height) === 2 && Math.floor((column * 6) / size.width) === 3
    })
    t.equal(places.length, 100)
    t.ok(inside.length >= 50 && inside.length < 70, `${inside.length} of 100`)
  }
  const nowhere = { width: 6, height: 4, data: new Float32Array(24) }
  t.equal(samplePlaces(map, 100, 9, nowhere).length, 100, 'nothing found: anywhere')
  t.end()
})

t.test('the number of places follows the unknowns within limits', (t) => {
  t.equal(placesPerImage(2305, 64, 6), 217)
  t.equal(placesPerImage(10, 64, 6), 96)
  t.equal(placesPerImage(2305, 4, 6), 400)
  t.end()
})
