import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { evaluate } from '../../src/evaluation/evaluate.js'

const items = Array.from({ length: 9 }, (_, index) => ({
  name: `${index}.jpg`,
  groundTruths: [{ x1: 0, y1: 0, x2: 10 + index, y2: 10, classIndex: 0, area: 100, crowd: false }],
}))

t.test('runs each picture once, a few at a time, and keeps their order', async (t) => {
  let running = 0
  let most = 0
  const progress: number[] = []
  const result = await evaluate(
    items,
    async ({ groundTruths, name }) => {
      most = Math.max(most, ++running)
      for (let turns = Number.parseInt(name) % 3; turns >= 0; turns--) await turn()
      running--
      return groundTruths.map((each) => ({ ...each, score: 0.9 }))
    },
    { concurrency: 3, onProgress: (done, total) => progress.push(done / total) },
  )
  t.equal(most, 3)
  t.same(
    progress,
    items.map((_, index) => (index + 1) / 9),
  )
  t.ok(Math.abs(result.metrics.map - 1) < 1e-12)
  t.same(
    result.images.map(({ item, detections }) => [item.name, detections[0]!.x2]),
    items.map(({ name }, index) => [name, 10 + index]),
  )
  t.same(JSON.parse(JSON.stringify(result)), result, 'is plain data')
})

t.test('an error of the detector ends the measurement', async (t) => {
  let calls = 0
  const broken = evaluate(
    items,
    async ({ name }) => {
      calls++
      await turn()
      if (name === '2.jpg') throw new RangeError('no picture')
      return []
    },
    { concurrency: 2 },
  )
  await t.rejects(broken, { message: 'no picture' })
  await turn()
  t.ok(calls <= 4, `${calls} calls`)
})

t.test('a signal ends the measurement', async (t) => {
  const abort = new AbortController()
  const options = {
    signal: abort.signal,
    onProgress: (done: number) => {
      if (done === 3) abort.abort(new RangeError('stopped'))
    },
  }
  let calls = 0
  const stopped = evaluate(
    items,
    () => {
      calls++
      return Promise.resolve([])
    },
    options,
  )
  await t.rejects(stopped, { message: 'stopped' })
  t.ok(calls < items.length)
})

t.test('no picture with an object is no measurement', async (t) => {
  const empty = [{ name: 'a.jpg', groundTruths: [] }]
  for (const none of [[], empty]) {
    await t.rejects(
      evaluate(none, () => Promise.resolve([])),
      { code: 'dataset.folder_unusable' },
    )
  }
})
