import t from 'tap'
import type { Clock } from '../../src/base/clock.js'
import { systemClock } from '../../src/base/clock.js'
import { AgentError } from '../../src/base/errors.js'
import { silentLogger } from '../../src/base/logger.js'
import { seededRandom } from '../../src/base/random.js'
import { FrameRing } from '../../src/camera/frame-ring.js'
import type { FrameSource } from '../../src/camera/frame-source.js'
import type { SupplyOptions } from '../../src/camera/source-supply.js'
import { SourceSupply } from '../../src/camera/source-supply.js'
import { letterbox } from '../../src/yolo/letterbox.js'

const box = letterbox({ width: 8, height: 8 }, { width: 8, height: 8 })
const forever = new AbortController().signal

// The watch does not keep a process alive; a child process or a socket does that for real sources.
const alive = setInterval(() => undefined, 1000)
t.teardown(() => {
  clearInterval(alive)
})

/** Notes the delays between openings, and does not wait for them. */
function options(changes: Partial<SupplyOptions> = {}): SupplyOptions & { readonly delays: number[] } {
  const delays: number[] = []
  const clock: Clock = {
    ...systemClock,
    sleep: (delayMs) => {
      delays.push(delayMs)
      return systemClock.sleep(0)
    },
  }
  return {
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    stallTimeoutMs: 10_000,
    startTimeoutMs: 10_000,
    backoff: { firstMs: 1000, capMs: 8000 },
    faultsMax: Number.POSITIVE_INFINITY,
    delays,
    ...changes,
  }
}

function ringOf(mode: 'live' | 'every-frame' = 'every-frame'): FrameRing {
  return new FrameRing({ inputWidth: 8, inputHeight: 8, mode, slotCount: 3 })
}

/** What a source does at its n-th opening; `put` delivers one frame. */
type Opening = (put: () => Promise<void>, signal: AbortSignal) => Promise<void> | void

function sourceOf(openings: readonly Opening[], isEndless = true): FrameSource {
  let count = 0
  return {
    label: 'a source',
    isEndless,
    run: async (ring, signal) => {
      const opening = openings[Math.min(count++, openings.length - 1)]
      await opening?.(async () => {
        const slot = await ring.begin(box, signal)
        if (slot !== undefined) ring.commit(slot, 0)
      }, signal)
    },
  }
}

const unplugged = (): never => {
  throw new AgentError('camera.stream_broken', 'the cable is out')
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else
      signal.addEventListener('abort', () => {
        resolve()
      })
  })
}

t.test('a source that ends is ended for its consumer, after its last frame', async (t) => {
  const supply = new SourceSupply(sourceOf([async (put) => put()], false), ringOf(), options())
  ;(await supply.next(forever))?.release()
  t.equal(await supply.next(forever), undefined)
  t.match(supply.stats(), { captured: 1, dropped: 0, restarts: 0, unreadable: 0 })
  await supply.stop()
})

t.test('a stream that breaks is opened again, later and later while no frame comes', async (t) => {
  const settings = options()
  const works: Opening = async (put, signal) => {
    await put()
    await untilAborted(signal)
  }
  const breaksLater: Opening = async (put) => {
    await put()
    unplugged()
  }
  const source = sourceOf([unplugged, unplugged, unplugged, breaksLater, unplugged, works])
  const supply = new SourceSupply(source, ringOf(), settings)
  for (const frameId of [1, 2]) {
    const lease = await supply.next(forever)
    t.equal(lease?.frameId, frameId)
    lease?.release()
  }
  t.equal(supply.stats().restarts, 5)
  const bounds = [1000, 2000, 4000, 1000, 2000]
  t.equal(settings.delays.length, bounds.length)
  for (const [index, bound] of bounds.entries()) {
    const delayMs = settings.delays[index]!
    t.ok(delayMs >= bound / 2 && delayMs < bound, `${delayMs} of ${bound}`)
  }
  await supply.stop()
  t.equal(await supply.next(forever), undefined)
})

t.test('the end of a stream that should not end is a fault', async (t) => {
  const supply = new SourceSupply(sourceOf([() => undefined]), ringOf(), options({ faultsMax: 3 }))
  await t.rejects(supply.next(forever), { code: 'camera.stream_broken', message: /a source ended/ })
  t.equal(supply.stats().restarts, 2)
})

t.test('a silent source is stopped and opened again', async (t) => {
  const silent: Opening = async (put, signal) => {
    await put()
    await untilAborted(signal)
  }
  const supply = new SourceSupply(sourceOf([silent]), ringOf(), options({ stallTimeoutMs: 40 }))
  for (let frame = 0; frame < 3; frame++) (await supply.next(forever))?.release()
  t.ok(supply.stats().restarts >= 2)
  await supply.stop()
})

t.test('the first frame may take longer than the others', async (t) => {
  const slow: Opening = async (put, signal) => {
    await systemClock.sleep(150, signal)
    if (!signal.aborted) await put()
    await untilAborted(signal)
  }
  const settings = options({ stallTimeoutMs: 40, startTimeoutMs: 20_000, faultsMax: 1 })
  const supply = new SourceSupply(sourceOf([slow]), ringOf(), settings)
  ;(await supply.next(forever))?.release()
  await t.rejects(supply.next(forever), { code: 'camera.stream_stalled', message: /a source gave no frame/ })
})

t.test('a source that waits for a slow consumer is not silent', async (t) => {
  const eager: Opening = async (put, signal) => {
    while (!signal.aborted) await put()
  }
  const supply = new SourceSupply(sourceOf([eager]), ringOf(), options({ stallTimeoutMs: 40 }))
  await systemClock.sleep(200)
  t.match(supply.stats(), { captured: 3, restarts: 0 })
  await supply.stop()
})

t.test('what cannot get better is not tried again', async (t) => {
  const missing: Opening = () => {
    throw new AgentError('resource.tool_missing', 'cannot run ffmpeg')
  }
  const supply = new SourceSupply(sourceOf([missing]), ringOf(), options())
  await t.rejects(supply.next(forever), { code: 'resource.tool_missing' })
  t.equal(supply.stats().restarts, 0)
  const file = new SourceSupply(sourceOf([unplugged], false), ringOf(), options())
  await t.rejects(file.next(forever), { code: 'camera.stream_broken' }, 'a file is not read twice')
})

t.test('an error without a code gets one', async (t) => {
  const odd: Opening = () => {
    throw new TypeError('odd')
  }
  const supply = new SourceSupply(sourceOf([odd], false), ringOf(), options())
  await t.rejects(supply.next(forever), { code: 'camera.stream_broken', message: 'a source broke off: odd' })
})

t.test('stop ends the source, wakes the consumer, and may be called twice', async (t) => {
  let hasEnded = false
  const running: Opening = async (_put, signal) => {
    await untilAborted(signal)
    hasEnded = true
  }
  const supply = new SourceSupply(sourceOf([running]), ringOf('live'), options())
  const waiting = supply.next(forever)
  await supply.stop()
  t.ok(hasEnded)
  t.equal(await waiting, undefined)
  await supply.stop()
})
