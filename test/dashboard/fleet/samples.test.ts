import t from 'tap'
import { FramePairs } from '../../../src/dashboard/fleet/frame-pairs.js'
import { Inbox, type Incoming } from '../../../src/dashboard/fleet/inbox.js'
import { LatencyWindow } from '../../../src/dashboard/fleet/latency-window.js'
import { Samples } from '../../../src/dashboard/fleet/samples.js'
import type { Preview } from '../../../src/protocol/preview.js'
import { exampleFrame } from '../../helpers/example-messages.js'

const sample = (p95Ms: number) => ({ p95Ms, p50Ms: 1, endToEndP95Ms: 2, fps: 3, temperatureC: Number.NaN })

t.test('samples keep the newest, in order, and no more than fits', (t) => {
  const samples = new Samples(4, 100)
  for (let index = 0; index < 10; index++) samples.add(index * 200, sample(index))
  t.equal(samples.size, 4)
  t.same(samples.columns().p95Ms, [6, 7, 8, 9])
  t.same(samples.columns().atS, [1.2, 1.4, 1.6, 1.8])
  t.same(samples.columns().temperatureC, [null, null, null, null])
  t.same(samples.recentP95(2), [8, 9])
  samples.add(100, sample(77))
  t.same(samples.recentP95(1), [9], 'a sample from the past is left out')
  t.end()
})

t.test('samples take memory as they come, and lose nothing when it grows', (t) => {
  const samples = new Samples(100, 10)
  for (let index = 0; index < 130; index++) {
    samples.add(index * 1000, sample(index))
    const kept = Math.min(100, index + 1)
    t.same(
      samples.columns().p95Ms,
      Array.from({ length: kept }, (_, place) => index + 1 - kept + place),
    )
  }
  t.same(samples.columns().atS[0], 30)
  t.end()
})

t.test('samples that come too close replace the last one', (t) => {
  const samples = new Samples(10, 100)
  for (let atMs = 0; atMs <= 1000; atMs += 10) samples.add(atMs, sample(atMs))
  t.ok(samples.size <= 11 && samples.size >= 9, `${samples.size} samples`)
  t.equal(samples.recentP95(1)[0], 1000)
  t.end()
})

t.test('a histogram holds every frame of the window, and nothing older', (t) => {
  const window = new LatencyWindow(100)
  t.same(window.bars(), { atMs: [], counts: [], frames: 0, p50Ms: 0, p95Ms: 0 })
  for (let index = 0; index < 250; index++) window.add(index < 150 ? 1000 : 10 + (index % 20))
  const { counts, frames, p50Ms, p95Ms, atMs } = window.bars()
  t.equal(frames, 100)
  t.equal(
    counts.reduce((sum, count) => sum + count, 0),
    100,
  )
  t.ok(p50Ms >= 10 && p50Ms <= p95Ms && p95Ms < 30)
  t.ok(counts.length <= 41 && atMs.length === counts.length)
  t.end()
})

t.test('one slow frame does not squeeze the others into one bar', (t) => {
  const window = new LatencyWindow(1000)
  for (let index = 0; index < 999; index++) window.add(20 + (index % 10))
  window.add(60_000)
  const { counts } = window.bars()
  t.ok(counts.length > 5 && counts.length < 50)
  t.end()
})

const pictureOf = (frameId?: number): Preview => ({
  jpeg: Uint8Array.of(),
  ...(frameId !== undefined && { frame: { frameId, capturedAtMs: 0, width: 4, height: 4 } }),
})
const detectionsOf = (frameId: number) => ({ ...exampleFrame([]), frameId })

t.test('boxes are drawn over the frame they belong to, whichever comes first', (t) => {
  const pairs = new FramePairs()
  t.equal(pairs.addPicture(pictureOf(7), 0), undefined, 'waits for its detections')
  t.equal(pairs.addDetections(detectionsOf(6), 1), undefined)
  t.match(pairs.addDetections(detectionsOf(7), 2), {
    picture: { frame: { frameId: 7 } },
    detections: { frameId: 7 },
  })
  t.equal(pairs.addDetections(detectionsOf(8), 3), undefined)
  t.match(pairs.addPicture(pictureOf(8), 4), { picture: {}, detections: { frameId: 8 } })
  pairs.addPicture(pictureOf(20), 5)
  t.match(
    pairs.addPicture(pictureOf(21), 6),
    { picture: { frame: { frameId: 20 } }, detections: undefined },
    'a picture whose detections never came is shown without boxes',
  )
  t.end()
})

t.test('without pictures the boxes are drawn alone, after a while', (t) => {
  const pairs = new FramePairs()
  t.match(pairs.addDetections(detectionsOf(1), 0), { picture: undefined, detections: { frameId: 1 } })
  pairs.addPicture(pictureOf(), 100)
  t.equal(pairs.addDetections(detectionsOf(2), 200), undefined)
  t.match(pairs.addDetections(detectionsOf(3), 4000), { picture: undefined, detections: { frameId: 3 } })
  t.end()
})

const message = (topic: string, value: number): Incoming => ({
  topic,
  payload: Uint8Array.of(value),
})

t.test('of a state only the newest waits; of events all, up to a bound', (t) => {
  const inbox = new Inbox(5)
  for (let value = 0; value < 100; value++) inbox.put(message('state', value), true)
  for (let value = 0; value < 3; value++) inbox.put(message('event', value), false)
  const read: [string, number][] = []
  t.equal(
    inbox.drain(
      ({ topic, payload }) => read.push([topic, payload[0]!]),
      () => false,
    ),
    4,
  )
  t.same(read, [
    ['state', 99],
    ['event', 0],
    ['event', 1],
    ['event', 2],
  ])
  for (let value = 0; value < 9; value++) inbox.put(message('event', value), false)
  t.equal(inbox.size, 5)
  t.equal(inbox.dropped, 4)
  inbox.clear()
  t.equal(inbox.size, 0)
  t.end()
})

t.test('a slice ends when its time is over', (t) => {
  const inbox = new Inbox()
  for (let value = 0; value < 100; value++) inbox.put(message('event', value), false)
  t.ok(
    inbox.drain(
      () => undefined,
      () => true,
    ) < 20,
  )
  t.ok(inbox.size > 80, 'the rest waits for the next slice')
  t.end()
})
