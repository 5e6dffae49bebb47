/**
 * Which objects of a camera are in which zone, and which have crossed which line.
 * An object stands where the middle of its lower edge is. Boxes tremble, so two things have a margin, a tenth of the longer side
 * of the box: an object has left a zone when it stands farther outside than that, and it has crossed a line when its way led
 * through it and it stands farther behind it than that; there and back within the margin is no crossing.
 *
 * Invariant: an object that is hidden counts as where it was until its track is over; for each object that entered a zone
 * exactly one leaving follows; crossings over a line forward and backward take turns for one object; a frame allocates nothing
 * once as many objects as ever were seen.
 */

import type { Detection } from '../yolo/detection.js'
import { ClassTable } from './class-table.js'
import { ClassVotes } from './class-votes.js'
import { footX, footY } from './detection-filter.js'
import { contains, type Corners, cross, distanceToEdge, scaleInto } from './polygon.js'
import type { ScenePlan } from './scene-plan.js'

/** What is looked at of one frame. */
export interface SceneFrame {
  readonly detections: readonly Detection[]
  /** The track of each detection, 0 for none; those without a track are not looked at. */
  readonly trackIds?: ArrayLike<number>
  readonly classNames: readonly string[]
  /** Size of the picture, pixels. */
  readonly sourceWidth: number
  readonly sourceHeight: number
}

/** Hears what happens, within `update` and `endIdle`. Zones and lines by their place in the plan, tracks by their slot. */
export interface SceneListener {
  entered(zone: number, slot: number): void
  /** `dwellMs` is how long it was inside. */
  left(zone: number, slot: number, dwellMs: number): void
  crossed(line: number, slot: number, isForward: boolean): void
}

/** A track as it was seen last. */
export interface SceneTrack {
  readonly id: number
  /** Of which class it is by its whole way. */
  readonly className: string
  readonly score: number
  /** Left, top, right, bottom: shares of the picture. */
  readonly box: readonly [number, number, number, number]
}

const marginShare = 0.1
/** Of a track: left, top, right, bottom, x and y of the foot, x and y of the foot in the frame before, margin; all in pixels. */
const placeParts = 9
const footAt = 4
const beforeAt = 6
const marginAt = 8
/** A track is over when it was missed in more frames than this, and for longer than the buffer. */
const framesMissedMax = 3
/** Without frames tracks are over after this, or after ten times the usual distance of frames. */
const idleMsMin = 5000
const idleFrames = 10

export class ZoneWatch {
  readonly #plan: Pick<ScenePlan, 'zones' | 'lines'>
  readonly #listener: SceneListener
  readonly #bufferMs: number
  readonly #classes = new ClassTable()
  readonly #votes = new ClassVotes()
  readonly #polygons: readonly Corners[]
  /** Of each line x1, y1, x2, y2 in pixels. */
  readonly #ends: Float64Array
  #width = 0
  #height = 0
  #frame = 0
  #nowMs = 0
  #gapMs = 0

  /** Slots 0..capacity - 1 hold tracks; `#live` lists those in use. */
  #capacity = 0
  readonly #slotOf = new Map<number, number>()
  readonly #live: number[] = []
  readonly #free: number[] = []
  #id = new Int32Array(0)
  #class = new Int32Array(0)
  #seenAtMs = new Float64Array(0)
  #seenInFrame = new Float64Array(0)
  /** `placeParts` of each track: kept here, because numbers that are handed on as arguments may become garbage. */
  #place = new Float64Array(0)
  #score = new Float64Array(0)
  /** Slots by zones: since when inside, NaN outside. */
  #sinceMs = new Float64Array(0)
  /** Slots by zones: whether it was long enough inside to count. */
  #counts = new Uint8Array(0)
  /** Slots by lines: on which side it stood farther than the margin last, 0 before. */
  #side = new Int8Array(0)
  /** Slots by lines: how often its way has led through the line since, forward less backward. */
  #through = new Int8Array(0)

  /** Zones by classes of the table. */
  #inside = new Int32Array(0)
  #classRoom = 0
  #classCount = 0
  #revision = 0
  /** Zones, then lines, by classes: whether the class counts. */
  #allowed = new Uint8Array(0)

  /** `bufferMs`: how long an object that is not seen counts as still there. */
  constructor(plan: Pick<ScenePlan, 'zones' | 'lines'>, bufferMs: number, listener: SceneListener) {
    this.#plan = plan
    this.#bufferMs = bufferMs
    this.#listener = listener
    this.#polygons = plan.zones.map(({ polygon }) => new Float64Array(polygon.length * 2))
    this.#ends = new Float64Array(plan.lines.length * 4)
    this.#grow(32)
    this.#makeRoom(8)
  }

  /** Rises with every object that enters or leaves a zone, crosses a line, or turns out to be of another class. */
  get revision(): number {
    return this.#revision
  }

  /** Names of the classes that were seen, by their numbers. */
  get classNames(): readonly string[] {
    return this.#classes.names
  }

  /** Objects of a class, by its number, that are in a zone now. */
  objectsIn(zone: number, classNumber: number): number {
    return this.#inside[zone * this.#classRoom + classNumber] ?? 0
  }

  /** The track in `slot`, within a call of the listener. */
  trackIn(slot: number): SceneTrack {
    const at = slot * placeParts
    const share = (index: number, size: number): number =>
      Math.min(1, Math.max(0, this.#place[at + index]! / size))
    return {
      id: this.#id[slot]!,
      className: this.classNameIn(slot),
      score: this.#score[slot]!,
      box: [share(0, this.#width), share(1, this.#height), share(2, this.#width), share(3, this.#height)],
    }
  }

  /** The class of the track in `slot`. */
  classNameIn(slot: number): string {
    return this.#classes.names[this.#class[slot]!]!
  }

  /** The score of the track in `slot` in this frame; undefined where it was not seen in it. */
  scoreIn(slot: number): number | undefined {
    return this.#seenInFrame[slot] === this.#frame ? this.#score[slot]! : undefined
  }

  /** Ends all tracks: whoever is in a zone leaves it. */
  endAll(): void {
    while (this.#live.length > 0) this.#end(this.#live.length - 1)
  }

  /** Since when the longest-standing object that counts is in `zone`, on the scale of the frames; undefined without any. */
  sinceIn(zone: number): number | undefined {
    let earliest: number | undefined
    for (const slot of this.#live) {
      const cell = slot * this.#plan.zones.length + zone
      if (this.#counts[cell] === 0) continue
      const since = this.#sinceMs[cell]!
      if (earliest === undefined || since < earliest) earliest = since
    }
    return earliest
  }

  /** Looks at the next frame of the camera, which was taken at `atMs` on a scale that no setting of a clock moves. */
  update(frame: SceneFrame, atMs: number): void {
    const { detections, trackIds } = frame
    this.#fit(frame.sourceWidth, frame.sourceHeight)
    this.#classes.use(frame.classNames)
    this.#frame++
    if (this.#frame > 1) this.#gapMs = atMs - this.#nowMs
    this.#nowMs = atMs
    for (let index = 0; index < detections.length; index++) {
      const id = trackIds?.[index] ?? 0
      if (id > 0) this.#see(id, detections[index]!)
    }
    for (let index = this.#live.length - 1; index >= 0; index--) {
      const slot = this.#live[index]!
      if (this.#seenInFrame[slot] === this.#frame) continue
      const isMissed = this.#frame - this.#seenInFrame[slot]! > framesMissedMax
      if (isMissed && atMs - this.#seenAtMs[slot]! > this.#bufferMs) this.#end(index)
    }
  }

  /** Ends all tracks when no frame has come for long, at `nowMs` on the scale of the frames: a camera that is gone shows nobody. */
  endIdle(nowMs: number): void {
    const idleMs = Math.max(idleMsMin, this.#bufferMs, this.#gapMs * idleFrames)
    if (nowMs - this.#nowMs > idleMs) this.endAll()
  }

  #see(id: number, { classIndex, score, x1, y1, x2, y2 }: Detection): void {
    const known = this.#slotOf.get(id)
    const slot = known ?? this.#begin(id)
    const at = slot * placeParts
    const place = this.#place
    const x = footX(x1, x2, this.#width)
    const y = footY(y2, this.#height)
    place[at + beforeAt] = known === undefined ? x : place[at + footAt]!
    place[at + beforeAt + 1] = known === undefined ? y : place[at + footAt + 1]!
    place[at] = x1
    place[at + 1] = y1
    place[at + 2] = x2
    place[at + 3] = y2
    place[at + footAt] = x
    place[at + footAt + 1] = y
    place[at + marginAt] = marginShare * Math.max(x2 - x1, y2 - y1)
    this.#score[slot] = score
    this.#seenAtMs[slot] = this.#nowMs
    this.#seenInFrame[slot] = this.#frame
    this.#vote(slot, classIndex, score)
    for (let line = 0; line < this.#plan.lines.length; line++) this.#follow(line, slot)
    this.#lookAtZones(slot)
  }

  #vote(slot: number, classIndex: number, score: number): void {
    const number = this.#classes.numberOf(classIndex)
    if (this.#classes.names.length > this.#classCount) this.#takeClasses()
    this.#votes.add(slot, number, score)
    const best = this.#votes.best(slot)
    const before = this.#class[slot]!
    if (best === before) return
    this.#class[slot] = best
    for (let zone = 0; zone < this.#plan.zones.length; zone++) {
      if (this.#counts[slot * this.#plan.zones.length + zone] === 0) continue
      this.#inside[zone * this.#classRoom + before]!--
      this.#inside[zone * this.#classRoom + best]!++
      this.#revision++
    }
  }

  /** The way of a track from the point before to where it stands now, and whether it has crossed the line by it. */
  #follow(line: number, slot: number): void {
    const from = line * 4
    const at = slot * placeParts
    const wasX = this.#place[at + beforeAt]!
    const wasY = this.#place[at + beforeAt + 1]!
    const x1 = this.#ends[from]!
    const y1 = this.#ends[from + 1]!
    const alongX = this.#ends[from + 2]! - x1
    const alongY = this.#ends[from + 3]! - y1
    const x = this.#place[at + footAt]!
    const y = this.#place[at + footAt + 1]!
    const cell = slot * this.#plan.lines.length + line
    const turned = cross(alongX, alongY, x - x1, y - y1)
    const isRight = turned >= 0
    if (cross(alongX, alongY, wasX - x1, wasY - y1) >= 0 !== isRight) {
      const turnedFrom = cross(x - wasX, y - wasY, x1 - wasX, y1 - wasY)
      const turnedTo = turnedFrom + cross(x - wasX, y - wasY, alongX, alongY)
      if (turnedFrom >= 0 !== turnedTo >= 0) this.#through[cell]! += isRight ? 1 : -1
    }
    const margin = this.#place[at + marginAt]!
    if (turned * turned <= margin * margin * (alongX * alongX + alongY * alongY)) return
    const side = isRight ? 1 : -1
    const net = this.#through[cell]!
    this.#through[cell] = 0
    const isOver = this.#side[cell] !== side && Math.sign(net) === side
    this.#side[cell] = side
    if (!isOver || this.#allowed[this.#allowedAt(this.#plan.zones.length + line, slot)] === 0) return
    this.#revision++
    this.#listener.crossed(line, slot, isRight)
  }

  #lookAtZones(slot: number): void {
    const count = this.#plan.zones.length
    const at = slot * placeParts
    const x = this.#place[at + footAt]!
    const y = this.#place[at + footAt + 1]!
    const margin = this.#place[at + marginAt]!
    for (let zone = 0; zone < count; zone++) {
      const cell = slot * count + zone
      const polygon = this.#polygons[zone]!
      const wasInside = !Number.isNaN(this.#sinceMs[cell]!)
      const isAllowed = this.#allowed[this.#allowedAt(zone, slot)] === 1
      const isInside =
        isAllowed && (contains(polygon, x, y) || (wasInside && distanceToEdge(polygon, x, y) <= margin))
      if (!isInside) {
        if (wasInside) this.#leave(zone, slot)
        continue
      }
      if (!wasInside) this.#sinceMs[cell] = this.#nowMs
      if (this.#counts[cell] === 1) continue
      if (this.#nowMs - this.#sinceMs[cell]! < this.#plan.zones[zone]!.dwellMs) continue
      this.#counts[cell] = 1
      this.#inside[zone * this.#classRoom + this.#class[slot]!]!++
      this.#revision++
      this.#listener.entered(zone, slot)
    }
  }

  /** The track is in the zone no more; it was there for as long as it was seen there. */
  #leave(zone: number, slot: number): void {
    const cell = slot * this.#plan.zones.length + zone
    const dwellMs = this.#seenAtMs[slot]! - this.#sinceMs[cell]!
    this.#sinceMs[cell] = NaN
    if (this.#counts[cell] === 0) return
    this.#counts[cell] = 0
    this.#inside[zone * this.#classRoom + this.#class[slot]!]!--
    this.#revision++
    this.#listener.left(zone, slot, dwellMs)
  }

  #begin(id: number): number {
    if (this.#free.length === 0) this.#grow(this.#capacity * 2)
    const slot = this.#free.pop()!
    this.#live.push(slot)
    this.#slotOf.set(id, slot)
    this.#id[slot] = id
    this.#class[slot] = 0
    this.#votes.clear(slot)
    const { zones, lines } = this.#plan
    this.#sinceMs.fill(NaN, slot * zones.length, (slot + 1) * zones.length)
    this.#counts.fill(0, slot * zones.length, (slot + 1) * zones.length)
    this.#side.fill(0, slot * lines.length, (slot + 1) * lines.length)
    this.#through.fill(0, slot * lines.length, (slot + 1) * lines.length)
    return slot
  }

  #end(index: number): void {
    const slot = this.#live[index]!
    for (let zone = 0; zone < this.#plan.zones.length; zone++)
      if (!Number.isNaN(this.#sinceMs[slot * this.#plan.zones.length + zone]!)) this.#leave(zone, slot)
    this.#slotOf.delete(this.#id[slot]!)
    this.#live[index] = this.#live[this.#live.length - 1]!
    this.#live.pop()
    this.#free.push(slot)
  }

  /** Shapes in pixels; a camera that changes its size shows the same things in other pixels. */
  #fit(width: number, height: number): void {
    if (width === this.#width && height === this.#height) return
    const { zones, lines } = this.#plan
    for (const [index, { polygon }] of zones.entries())
      scaleInto(this.#polygons[index]!, polygon, width, height)
    for (const [index, { from, to }] of lines.entries())
      scaleInto(this.#ends.subarray(index * 4, index * 4 + 4), [from, to], width, height)
    const scales = [width / this.#width, height / this.#height] as const
    for (const slot of this.#live)
      for (let part = 0; part < marginAt; part++) this.#place[slot * placeParts + part]! *= scales[part % 2]!
    this.#width = width
    this.#height = height
  }

  #allowedAt(row: number, slot: number): number {
    return row * this.#classRoom + this.#class[slot]!
  }

  /** Room for `count` tracks. */
  #grow(count: number): void {
    const { zones, lines } = this.#plan
    for (let slot = count - 1; slot >= this.#capacity; slot--) this.#free.push(slot)
    this.#capacity = count
    this.#votes.grow(count)
    this.#id = grown(this.#id, new Int32Array(count))
    this.#class = grown(this.#class, new Int32Array(count))
    this.#seenAtMs = grown(this.#seenAtMs, new Float64Array(count))
    this.#seenInFrame = grown(this.#seenInFrame, new Float64Array(count))
    this.#score = grown(this.#score, new Float64Array(count))
    this.#place = grown(this.#place, new Float64Array(count * placeParts))
    this.#sinceMs = grown(this.#sinceMs, new Float64Array(count * zones.length))
    this.#counts = grown(this.#counts, new Uint8Array(count * zones.length))
    this.#side = grown(this.#side, new Int8Array(count * lines.length))
    this.#through = grown(this.#through, new Int8Array(count * lines.length))
  }

  /** Classes were seen for the first time. */
  #takeClasses(): void {
    this.#classCount = this.#classes.names.length
    if (this.#classCount > this.#classRoom) this.#makeRoom(this.#classCount * 2)
    for (const [row, { classes }] of [...this.#plan.zones, ...this.#plan.lines].entries())
      for (const [number, name] of this.#classes.names.entries())
        this.#allowed[row * this.#classRoom + number] =
          classes === undefined || classes.includes(name) ? 1 : 0
  }

  /** Room for `count` classes. */
  #makeRoom(count: number): void {
    const { zones, lines } = this.#plan
    const before = this.#classRoom
    const inside = new Int32Array(zones.length * count)
    for (let zone = 0; zone < zones.length; zone++)
      inside.set(this.#inside.subarray(zone * before, (zone + 1) * before), zone * count)
    this.#inside = inside
    this.#classRoom = count
    this.#allowed = new Uint8Array((zones.length + lines.length) * count)
  }
}

function grown<T extends Int32Array | Float64Array | Uint8Array | Int8Array>(from: T, to: T): T {
  to.set(from)
  return to
}
