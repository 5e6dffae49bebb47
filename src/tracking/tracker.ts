/**
 * Gives the objects of one camera ids that stay over frames: ByteTrack (Y. Zhang et al., ByteTrack: Multi-Object Tracking by
 * Associating Every Detection Box, ECCV 2022).
 *
 *     1  confirmed and lost tracks    x  good detections    by overlap times score
 *     2  tracks that are left         x  faint detections   by overlap
 *     3  unconfirmed tracks           x  good detections    by overlap times score
 *     4  confirmed and unconfirmed    x  good detections    by distance, within a reach that grows with the time between frames
 *     5  good detections that are left begin tracks; tracks that nobody has seen for too long end
 *
 * Step 4 is for few frames a second, where a thing may have left its own box between two of them. For the same reason time counts
 * in thirtieths of a second whatever the frame rate, and a new track begins with the velocity that the tracks of the camera
 * have in common, where they have one (a conveyor, a road).
 * Invariant: an id belongs to one track at a time; a frame allocates nothing once the largest frame was seen.
 */

import { Assignment } from '../base/assignment.js'
import type { Detection } from '../yolo/detection.js'
import { CommonMotion } from './common-motion.js'
import { TrackStates } from './track-states.js'

export interface TrackerOptions {
  /** Detections of at least this score are associated first, 0..1. */
  readonly highScore: number
  /** Detections below this score are not looked at, 0..1. */
  readonly lowScore: number
  /** A track begins with a detection of at least this score, 0..1. */
  readonly newTrackScore: number
  /** A track that begins with a detection of at least this score is confirmed at once, others when they are seen again. */
  readonly certainScore: number
  /** Largest cost of a pair in step 1: 1 - overlap * score. */
  readonly matchCostMax: number
  /** How long a track is kept that nobody sees, milliseconds. */
  readonly bufferMs: number
  /** Whether a track takes only detections of its own class. */
  readonly isPerClass: boolean
  /** Largest id; the smallest free one follows it. */
  readonly idMax: number
}

/** The values of the published method, a buffer in time instead of frames. */
export const trackerDefaults: TrackerOptions = {
  highScore: 0.25,
  lowScore: 0.1,
  newTrackScore: 0.25,
  certainScore: 0.6,
  matchCostMax: 0.8,
  bufferMs: 1000,
  isPerClass: false,
  idMax: 2 ** 31 - 1,
}

/** Costs above which pairs of the later steps are none. */
const faintCostMax = 0.5
const unconfirmedCostMax = 0.7
/** Tracks that overlap more than this are one; the younger ends. */
const twinOverlap = 0.85
/** Time counts in steps of this, milliseconds: what the noise of the filter is made for. */
const stepMs = 1000 / 30
/** A frame is never taken to be later than this after the one before it: clocks step, cameras pause. */
const gapMsMax = 600_000
/** Frames without a track after which it may end, however long they took. */
const framesLostMin = 3
/** Step 4 reaches this part of a box's longer side, for each step of time, at most `reachMax` of it. */
const reachPerStep = 0.25
const reachMax = 1.5

/** What a slot holds. */
const free = 0
const unconfirmed = 1
const confirmed = 2
const lost = 3

export class Tracker {
  readonly #options: TrackerOptions
  readonly #assignment = new Assignment()
  readonly #motion = new CommonMotion()
  #capacity = 64
  readonly #states = new TrackStates(64)
  /** Slots in use are 0..count-1 of `#live`, oldest track first. */
  #live = new Int32Array(64)
  #liveCount = 0
  #free = new Int32Array(64)
  #freeCount = 0
  #phase = new Uint8Array(64)
  #id = new Int32Array(64)
  #class = new Int32Array(64)
  #seenAtMs = new Float64Array(64)
  #framesUnseen = new Int32Array(64)
  #nextId = 1
  #nowMs = 0
  #lastAtMs: number | undefined
  #periodMs = stepMs
  /** Candidates of one step. */
  #rows = new Int32Array(64)
  #rowCount = 0
  #columns = new Int32Array(64)
  #columnCount = 0
  /** Of each detection of the frame, the slot of its track; -1 for none. */
  #slotOf = new Int32Array(64)
  #ids = new Int32Array(64)
  #frames = 0

  constructor(options: Partial<TrackerOptions> = {}) {
    this.#options = { ...trackerDefaults, ...options }
    for (let slot = 0; slot < this.#capacity; slot++) this.#free[slot] = this.#capacity - 1 - slot
    this.#freeCount = this.#capacity
  }

  /** Tracks that are seen or may come back. */
  get size(): number {
    return this.#liveCount
  }

  /** Whether a track has this id: seen now, or lost for less than the buffer. */
  has(id: number): boolean {
    for (let index = 0; index < this.#liveCount; index++)
      if (this.#id[this.#live[index]!] === id && id > 0) return true
    return false
  }

  /**
   * The ids of `detections`, found in a frame of time `atMs` (any clock): one a detection, 0 for a detection without a
   * confirmed track. Borrowed until the next call. A time that is not after the last one counts as the usual distance.
   */
  update(detections: readonly Detection[], atMs: number): Int32Array {
    this.#advance(atMs)
    this.#prepare(detections.length)
    this.#associate(detections)
    this.#endTracks()
    this.#beginTracks(detections)
    this.#removeTwins()
    this.#motion.take(this.#states, this.#live, this.#liveCount, this.#isSeen)
    this.#frames++
    for (let index = 0; index < detections.length; index++) {
      const slot = this.#slotOf[index]!
      this.#ids[index] = slot >= 0 && this.#phase[slot] === confirmed ? this.#id[slot]! : 0
    }
    return this.#ids
  }

  /** The picture has changed its size by these factors: tracks go on. */
  rescale(scaleX: number, scaleY: number): void {
    for (let index = 0; index < this.#liveCount; index++)
      this.#states.rescale(this.#live[index]!, scaleX, scaleY)
    this.#motion.rescale(scaleX, scaleY)
  }

  /** Ends all tracks; ids go on. */
  reset(): void {
    while (this.#liveCount > 0) this.#end(this.#liveCount - 1)
    this.#lastAtMs = undefined
    this.#frames = 0
  }

  /** Made once: a closure a frame would be garbage a frame. */
  readonly #isSeen = (slot: number): boolean =>
    this.#phase[slot] === confirmed && this.#seenAtMs[slot] === this.#nowMs
  readonly #isMissed = (slot: number): boolean =>
    this.#phase[slot] === confirmed && this.#seenAtMs[slot] !== this.#nowMs
  readonly #isKnown = (slot: number): boolean => this.#phase[slot] !== unconfirmed
  readonly #isNew = (slot: number): boolean =>
    this.#phase[slot] === unconfirmed && this.#seenAtMs[slot] !== this.#nowMs
  readonly #isNewOrMissed = (slot: number): boolean => this.#isNew(slot) || this.#isMissed(slot)

  /** Moves the time and every track on to `atMs`. */
  #advance(atMs: number): void {
    const elapsedMs = this.#lastAtMs === undefined ? this.#periodMs : atMs - this.#lastAtMs
    const isPlausible = elapsedMs > 0 && elapsedMs <= gapMsMax
    const gapMs = isPlausible ? elapsedMs : this.#periodMs
    if (isPlausible && this.#lastAtMs !== undefined) this.#periodMs += (gapMs - this.#periodMs) * 0.1
    this.#lastAtMs = atMs
    this.#nowMs += gapMs
    const steps = gapMs / stepMs
    for (let index = 0; index < this.#liveCount; index++) {
      const slot = this.#live[index]!
      this.#states.predict(slot, steps, this.#phase[slot] === lost)
    }
  }

  #prepare(count: number): void {
    if (this.#slotOf.length < count) {
      this.#slotOf = new Int32Array(count * 2)
      this.#ids = new Int32Array(count * 2)
      this.#columns = new Int32Array(count * 2)
    }
    this.#slotOf.fill(-1, 0, count)
  }

  #associate(detections: readonly Detection[]): void {
    const { highScore, lowScore, matchCostMax } = this.#options
    this.#chooseColumns(detections, highScore, Infinity)
    this.#chooseRows(this.#isKnown)
    this.#matchByOverlap(detections, matchCostMax, true)
    this.#chooseColumns(detections, lowScore, highScore)
    this.#chooseRows(this.#isMissed)
    this.#matchByOverlap(detections, faintCostMax, false)
    this.#chooseColumns(detections, highScore, Infinity)
    this.#chooseRows(this.#isNew)
    this.#matchByOverlap(detections, unconfirmedCostMax, true)
    this.#chooseColumns(detections, highScore, Infinity)
    this.#chooseRows(this.#isNewOrMissed)
    this.#matchByDistance(detections)
  }

  /** Candidates of a step: detections without a track, of a score from `least` on and below `limit`. */
  #chooseColumns(detections: readonly Detection[], least: number, limit: number): void {
    this.#columnCount = 0
    for (let index = 0; index < detections.length; index++) {
      const { score } = detections[index]!
      if (score >= least && score < limit && this.#slotOf[index] === -1)
        this.#columns[this.#columnCount++] = index
    }
  }

  #chooseRows(isCandidate: (slot: number) => boolean): void {
    this.#rowCount = 0
    for (let index = 0; index < this.#liveCount; index++) {
      const slot = this.#live[index]!
      if (isCandidate(slot)) this.#rows[this.#rowCount++] = slot
    }
  }

  #matchByOverlap(detections: readonly Detection[], costMax: number, countsScore: boolean): void {
    if (this.#rowCount === 0 || this.#columnCount === 0) return
    this.#assignment.begin(this.#rowCount, this.#columnCount, costMax)
    const { boxes } = this.#states
    for (let row = 0; row < this.#rowCount; row++) {
      const slot = this.#rows[row]!
      const at = slot * 4
      const left = boxes[at]!
      const top = boxes[at + 1]!
      const right = boxes[at + 2]!
      const bottom = boxes[at + 3]!
      const area = (right - left) * (bottom - top)
      for (let column = 0; column < this.#columnCount; column++) {
        const { x1, y1, x2, y2, score, classIndex } = detections[this.#columns[column]!]!
        const width = Math.min(right, x2) - Math.max(left, x1)
        if (width <= 0) continue
        const height = Math.min(bottom, y2) - Math.max(top, y1)
        if (height <= 0) continue
        if (this.#options.isPerClass && this.#class[slot] !== classIndex) continue
        const shared = width * height
        const overlap = shared / (area + (x2 - x1) * (y2 - y1) - shared)
        this.#assignment.allow(row, column, 1 - (countsScore ? overlap * score : overlap))
      }
    }
    this.#takeMatches(detections)
  }

  #matchByDistance(detections: readonly Detection[]): void {
    if (this.#rowCount === 0 || this.#columnCount === 0) return
    this.#assignment.begin(this.#rowCount, this.#columnCount, 1)
    const { boxes } = this.#states
    for (let row = 0; row < this.#rowCount; row++) {
      const slot = this.#rows[row]!
      const at = slot * 4
      const width = boxes[at + 2]! - boxes[at]!
      const height = boxes[at + 3]! - boxes[at + 1]!
      const centerX = (boxes[at]! + boxes[at + 2]!) / 2
      const centerY = (boxes[at + 1]! + boxes[at + 3]!) / 2
      const steps = (this.#nowMs - this.#seenAtMs[slot]!) / stepMs
      const reach = Math.min(reachMax, reachPerStep * steps) * Math.max(width, height)
      for (let column = 0; column < this.#columnCount; column++) {
        const { x1, y1, x2, y2, classIndex } = detections[this.#columns[column]!]!
        const away = Math.hypot((x1 + x2) / 2 - centerX, (y1 + y2) / 2 - centerY)
        if (away >= reach || this.#class[slot] !== classIndex) continue
        // Things keep their size between two frames: another size is another thing.
        const sizes = ((x2 - x1) * (y2 - y1)) / (width * height)
        if (sizes < 0.5 || sizes > 2) continue
        this.#assignment.allow(row, column, away / reach)
      }
    }
    this.#takeMatches(detections)
  }

  #takeMatches(detections: readonly Detection[]): void {
    this.#assignment.solve()
    for (let row = 0; row < this.#rowCount; row++) {
      const column = this.#assignment.columnOf[row]!
      if (column < 0) continue
      const slot = this.#rows[row]!
      const index = this.#columns[column]!
      const detection = detections[index]!
      this.#states.correct(slot, detection)
      this.#phase[slot] = confirmed
      if (this.#id[slot] === 0) this.#id[slot] = this.#takeId()
      this.#class[slot] = detection.classIndex
      this.#seenAtMs[slot] = this.#nowMs
      this.#framesUnseen[slot] = 0
      this.#slotOf[index] = slot
    }
  }

  /** Unconfirmed tracks that were not seen again end, others are lost, and end when that is long ago. */
  #endTracks(): void {
    for (let index = this.#liveCount - 1; index >= 0; index--) {
      const slot = this.#live[index]!
      if (this.#seenAtMs[slot] === this.#nowMs) continue
      this.#framesUnseen[slot]!++
      const isOver =
        this.#nowMs - this.#seenAtMs[slot]! > this.#options.bufferMs &&
        this.#framesUnseen[slot]! >= framesLostMin
      if (this.#phase[slot] === unconfirmed || isOver) this.#end(index)
      else this.#phase[slot] = lost
    }
  }

  #beginTracks(detections: readonly Detection[]): void {
    const { newTrackScore, certainScore } = this.#options
    for (let index = 0; index < detections.length; index++) {
      const detection = detections[index]!
      if (this.#slotOf[index] !== -1 || detection.score < newTrackScore) continue
      if (this.#freeCount === 0) this.#grow()
      const slot = this.#free[--this.#freeCount]!
      this.#states.begin(slot, detection, this.#motion.velocityX, this.#motion.velocityY)
      this.#live[this.#liveCount++] = slot
      // What is there in the first frame of all was there before.
      const isFirst = this.#frames === 0 || detection.score >= certainScore
      this.#phase[slot] = isFirst ? confirmed : unconfirmed
      this.#id[slot] = isFirst ? this.#takeId() : 0
      this.#class[slot] = detection.classIndex
      this.#seenAtMs[slot] = this.#nowMs
      this.#framesUnseen[slot] = 0
      this.#slotOf[index] = slot
    }
  }

  /** Of a seen and a lost track over each other, the lost one ends: an id that is seen does not change. */
  #removeTwins(): void {
    for (let index = this.#liveCount - 1; index >= 0; index--) {
      const slot = this.#live[index]!
      if (this.#phase[slot] !== lost) continue
      for (let other = 0; other < this.#liveCount; other++) {
        const twin = this.#live[other]!
        if (this.#phase[twin] !== confirmed || this.#overlap(slot, twin) <= twinOverlap) continue
        this.#end(index)
        break
      }
    }
  }

  #overlap(one: number, other: number): number {
    const { boxes } = this.#states
    const a = one * 4
    const b = other * 4
    const width = Math.min(boxes[a + 2]!, boxes[b + 2]!) - Math.max(boxes[a]!, boxes[b]!)
    const height = Math.min(boxes[a + 3]!, boxes[b + 3]!) - Math.max(boxes[a + 1]!, boxes[b + 1]!)
    if (width <= 0 || height <= 0) return 0
    const shared = width * height
    const areaOf = (at: number): number => (boxes[at + 2]! - boxes[at]!) * (boxes[at + 3]! - boxes[at + 1]!)
    return shared / (areaOf(a) + areaOf(b) - shared)
  }

  #end(index: number): void {
    const slot = this.#live[index]!
    this.#phase[slot] = free
    this.#id[slot] = 0
    this.#live.copyWithin(index, index + 1, this.#liveCount)
    this.#liveCount--
    this.#free[this.#freeCount++] = slot
  }

  #takeId(): number {
    let id = this.#nextId
    while (this.has(id)) id = this.#idAfter(id)
    this.#nextId = this.#idAfter(id)
    return id
  }

  #idAfter(id: number): number {
    return id >= this.#options.idMax ? 1 : id + 1
  }

  #grow(): void {
    const before = this.#capacity
    this.#capacity = before * 2
    this.#states.grow(this.#capacity)
    const grown = (from: Int32Array): Int32Array<ArrayBuffer> => {
      const to = new Int32Array(this.#capacity)
      to.set(from)
      return to
    }
    this.#live = grown(this.#live)
    this.#free = grown(this.#free)
    this.#id = grown(this.#id)
    this.#class = grown(this.#class)
    this.#framesUnseen = grown(this.#framesUnseen)
    this.#rows = grown(this.#rows)
    const phase = new Uint8Array(this.#capacity)
    phase.set(this.#phase)
    this.#phase = phase
    const seenAtMs = new Float64Array(this.#capacity)
    seenAtMs.set(this.#seenAtMs)
    this.#seenAtMs = seenAtMs
    for (let slot = this.#capacity - 1; slot >= before; slot--) this.#free[this.#freeCount++] = slot
  }
}
