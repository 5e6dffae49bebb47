import t from 'tap'
import { systemClock } from '../../src/base/clock.js'
import { silentLogger } from '../../src/base/logger.js'
import type { FrameResult } from '../../src/pipeline/frame-result.js'
import { RepeatLog } from '../../src/pipeline/repeat-log.js'
import { SinkFeed } from '../../src/pipeline/sink-feed.js'

const log = new RepeatLog(silentLogger, systemClock, 1000)

function result(frameId: number): FrameResult {
  return {
    camera: 'door',
    frameId,
    capturedAtMs: 0,
    sourceWidth: 1,
    sourceHeight: 1,
    identity: { model: 'm', version: '1.0.0', variant: 'v' },
    classNames: [],
    detections: [],
    timings: { waitMs: 0, preprocessMs: 0, inferenceMs: 0, decodeMs: 0, totalMs: 0 },
  }
}

t.test('results arrive in order and one at a time', async (t) => {
  let inHand = 0
  const taken: number[] = []
  const accept = async ({ frameId }: FrameResult): Promise<void> => {
    t.equal(++inHand, 1)
    await systemClock.sleep(1)
    inHand--
    taken.push(frameId)
  }
  const feed = new SinkFeed({ name: 'file', accept }, 10, log)
  for (let id = 0; id < 5; id++) feed.offer(result(id))
  await feed.drain(10_000, systemClock)
  t.same(taken, [0, 1, 2, 3, 4])
  t.same(feed.stats(), { name: 'file', accepted: 5, dropped: 0, errors: 0, queued: 0 })
})

t.test('draining a sink that hangs gives up after its limit and counts what is left', async (t) => {
  const hang = (): Promise<void> => new Promise(() => undefined)
  const feed = new SinkFeed({ name: 'stuck', accept: hang }, 10, log)
  for (let id = 0; id < 4; id++) feed.offer(result(id))
  await feed.drain(5, systemClock)
  feed.offer(result(9))
  t.same(feed.stats(), { name: 'stuck', accepted: 0, dropped: 3, errors: 0, queued: 0 })
})
