import t from 'tap'
import { seededRandom } from '../../src/base/random.js'
import type { FrameMode } from '../../src/camera/frame-ring.js'
import { FrameRing } from '../../src/camera/frame-ring.js'
import type { FrameLease } from '../../src/camera/frame-lease.js'
import { letterbox } from '../../src/yolo/letterbox.js'

const input = { width: 8, height: 8 }
const square = letterbox({ width: 4, height: 4 }, input)
const wide = letterbox({ width: 8, height: 4 }, input)
const forever = new AbortController().signal

function ringOf(mode: FrameMode, slotCount = 4): FrameRing {
  return new FrameRing({ inputWidth: 8, inputHeight: 8, mode, slotCount })
}

/** Writes one frame whose every byte is `value`. */
function put(ring: FrameRing, value: number): boolean {
  const slot = ring.tryBegin(square)
  if (slot === undefined) return false
  slot.pixels.fill(value)
  ring.commit(slot, 1000 + value)
  return true
}

function pixelsOf(lease: FrameLease): Uint8Array {
  return new Uint8Array(lease.pixels, lease.byteOffset, lease.byteLength)
}

async function take(ring: FrameRing): Promise<FrameLease> {
  const lease = await ring.next(forever)
  if (lease === undefined) throw new Error('expected a frame')
  return lease
}

t.test('live: the newest frame wins and the others are counted', async (t) => {
  const ring = ringOf('live')
  for (let value = 1; value <= 5; value++) put(ring, value)
  const lease = await take(ring)
  t.match(lease, { frameId: 5, capturedAtMs: 1005, byteLength: 192, letterbox: square })
  t.ok(pixelsOf(lease).every((byte) => byte === 5))
  t.equal(ring.captured, 5)
  t.equal(ring.dropped, 4)
  lease.release()
})

t.test('live: a leased frame does not change while new ones arrive', async (t) => {
  const ring = ringOf('live')
  put(ring, 1)
  const first = await take(ring)
  for (let value = 2; value < 40; value++) t.ok(put(ring, value))
  t.ok(pixelsOf(first).every((byte) => byte === 1))
  const second = await take(ring)
  t.ok(pixelsOf(second).every((byte) => byte === 39))
  first.release()
  second.release()
})

t.test('every frame: all in order, and the source waits for room', async (t) => {
  const ring = ringOf('every-frame', 3)
  t.same(
    [1, 2, 3, 4].map((value) => put(ring, value)),
    [true, true, true, false],
  )
  let hasRoom = false
  const waiting = ring.begin(square, forever).then((slot) => {
    hasRoom = true
    return slot
  })
  const first = await take(ring)
  t.equal(first.frameId, 1)
  await new Promise(setImmediate)
  t.equal(hasRoom, false, 'a lease is no room')
  t.ok(ring.isSourceWaiting)
  first.release()
  const slot = await waiting
  t.ok(slot)
  if (slot !== undefined) ring.commit(slot, 0)
  for (const frameId of [2, 3, 4]) {
    const lease = await take(ring)
    t.equal(lease.frameId, frameId)
    lease.release()
  }
  t.equal(ring.dropped, 0)
})

t.test('a consumer that waits is woken by a frame, by the end, and by its signal', async (t) => {
  const ring = ringOf('live')
  const waiting = ring.next(forever)
  put(ring, 1)
  const lease = await waiting
  t.equal(lease?.frameId, 1)
  lease?.release()

  const abort = new AbortController()
  const aborted = ring.next(abort.signal)
  abort.abort()
  t.equal(await aborted, undefined)

  const last = ring.next(forever)
  ring.end()
  t.equal(await last, undefined)
})

t.test('the end comes after the frames that were filled; a failure after them', async (t) => {
  const ring = ringOf('every-frame')
  put(ring, 1)
  put(ring, 2)
  ring.end(new Error('unplugged'))
  t.equal(put(ring, 3), false, 'nothing is taken after the end')
  ;(await take(ring)).release()
  ;(await take(ring)).release()
  await t.rejects(ring.next(forever), { message: 'unplugged' })
})

t.test('close drops what nobody took, frees the waiting source, and leaves leases alone', async (t) => {
  const ring = ringOf('every-frame', 3)
  put(ring, 1)
  const lease = await take(ring)
  put(ring, 2)
  const open = ring.tryBegin(square)
  const waiting = ring.begin(square, forever)
  ring.close()
  t.equal(await waiting, undefined)
  t.equal(await ring.next(forever), undefined)
  if (open !== undefined) ring.commit(open, 0)
  t.equal(ring.dropped, 2)
  t.ok(pixelsOf(lease).every((byte) => byte === 1))
  lease.release()
})

t.test('the border is grey again when the geometry changes', (t) => {
  const ring = ringOf('every-frame', 3)
  for (let round = 0; round < 3; round++) put(ring, 200)
  ring.close()
  const other = ringOf('live', 3)
  for (let round = 0; round < 6; round++) put(other, 200)
  for (let round = 0; round < 6; round++) {
    const slot = other.tryBegin(wide)
    if (slot === undefined) throw new Error('expected a slot')
    t.ok(slot.pixels.subarray(0, wide.padTop * 24).every((byte) => byte === 114))
    t.ok(slot.pixels.subarray(-24).every((byte) => byte === 114))
    slot.pixels.subarray(wide.padTop * 24, (wide.padTop + wide.scaledHeight) * 24).fill(round)
    other.commit(slot, 0)
  }
  t.end()
})

t.test('misuse is a programmer error', async (t) => {
  const broken = { code: 'internal.invariant_broken' }
  t.throws(() => ringOf('live', 2), broken)
  const ring = ringOf('live')
  const slot = ring.tryBegin(square)
  if (slot === undefined) throw new Error('expected a slot')
  ring.commit(slot, 0)
  t.throws(() => {
    ring.commit(slot, 0)
  }, broken)
  t.throws(() => {
    ring.abandon(slot)
  }, broken)
  const lease = await take(ring)
  lease.release()
  t.throws(() => {
    lease.release()
  }, broken)
  const held: FrameLease[] = []
  for (let value = 0; value < 2; value++) {
    put(ring, value)
    held.push(await take(ring))
  }
  put(ring, 9)
  await t.rejects(ring.next(forever), broken, 'a third lease would leave a live source without a slot')
  const waiting = ringOf('live')
  void waiting.next(forever)
  await t.rejects(waiting.next(forever), broken, 'two waiting consumers')
})

interface Held {
  readonly lease: FrameLease
  readonly value: number
}

function isTorn({ lease, value }: Held): boolean {
  return !pixelsOf(lease).every((byte) => byte === value)
}

/** 300 random writes, takes and releases; returns what went wrong first. */
async function breachOf(mode: FrameMode, seed: number): Promise<string | undefined> {
  const random = seededRandom(seed)
  const slotCount = 3 + random.integer(4)
  const ring = ringOf(mode, slotCount)
  const held: Held[] = []
  const maxHeld = mode === 'live' ? slotCount - 2 : slotCount - 1
  let written = 0
  let delivered = 0
  let lastId = 0
  for (let step = 0; step < 300; step++) {
    const choice = random.next()
    if (choice < 0.5) {
      const slot = ring.tryBegin(square)
      slot?.pixels.fill((written + 1) % 251)
      if (slot !== undefined && random.next() < 0.1) ring.abandon(slot)
      else if (slot !== undefined) ring.commit(slot, ++written)
    } else if (choice < 0.75 && held.length < maxHeld && ring.captured > ring.dropped + delivered) {
      const lease = await take(ring)
      const expected = mode === 'live' ? written : lastId + 1
      if (lease.frameId !== expected) return `frame ${lease.frameId}, expected ${expected}`
      lastId = lease.frameId
      delivered++
      held.push({ lease, value: lease.frameId % 251 })
    } else if (held.length > 0) {
      const [entry] = held.splice(random.integer(held.length), 1)
      if (entry === undefined || isTorn(entry)) return 'a torn frame'
      entry.lease.release()
    }
  }
  ring.close()
  if (ring.captured !== written) return `${ring.captured} captured, ${written} written`
  return ring.captured === delivered + ring.dropped ? undefined : 'a frame was neither delivered nor dropped'
}

t.test('random schedules keep the promises', async (t) => {
  for (const mode of ['live', 'every-frame'] as const) {
    for (let seed = 0; seed < 60; seed++)
      t.equal(await breachOf(mode, seed), undefined, `${mode}, seed ${seed}`)
  }
})
