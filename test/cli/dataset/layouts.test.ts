import t from 'tap'
import { datasetLayouts } from '../../helpers/dataset-layouts.js'
import { explainedLayouts, isEqualReading, readLayouts } from '../../helpers/read-layouts.js'

/** Read here and not there, or more: pictures and objects. */
const more: Readonly<Record<string, readonly [number, number]>> = {
  'CVAT, as it comes': [6, 21],
  'list files of Windows': [6, 21],
  'boxes and outlines in one file': [6, 21],
  'Label Studio, without a description': [6, 21],
  'Darknet, without a description': [6, 21],
}

t.test('every layout is read as Ultralytics reads it, or more of it', async (t) => {
  const readings = await readLayouts()
  t.equal(readings.length, Object.keys(datasetLayouts).length)
  t.same(Object.keys(more), Object.keys(explainedLayouts))
  for (const reading of readings) {
    const { name, ours, ultralytics, notes } = reading
    t.ok(ultralytics, `${name} is in the fixture`)
    if (name in more) t.same(ours, more[name], name)
    else t.ok(isEqualReading(reading), `${name}: ${JSON.stringify({ ours, ultralytics })}`)
    if ('refused' in ours) continue
    t.match(
      notes[0],
      new RegExp(`: ${ours[0]} pictures, ${ours[1]} objects of \\d classes`),
      `${name} says how much`,
    )
    const isLeftOut = ours[0] < 6 || name === 'a broken picture'
    t.equal(
      notes.some((note) => note.startsWith('left out: ')),
      isLeftOut,
      `${name} names what it leaves out`,
    )
  }
})
