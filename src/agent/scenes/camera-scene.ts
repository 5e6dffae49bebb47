/**
 * The zones and lines of one camera while the agent runs: what happens in them is counted, and said.
 * Invariant: sums are those of `DaySums`; what is said is never older than the last change by more than the period of the host.
 */

import type { Clock } from '../../base/clock.js'
import type { Logger } from '../../base/logger.js'
import { FrameTime } from '../../pipeline/frame-time.js'
import type { FrameResult } from '../../pipeline/frame-result.js'
import type { FrameLease, FrameWatch } from '../../pipeline/ports.js'
import {
  countedClassesMax,
  countedNameLengthMax,
  type Counts,
  type LineCounts,
  type ZoneCounts,
} from '../../protocol/counts.js'
import { DaySums, type SavedSums, type Sums } from '../../zones/day-sums.js'
import type { ScenePlan } from '../../zones/scene-plan.js'
import { ZoneWatch } from '../../zones/zone-watch.js'
import { type SceneEventOptions, SceneEvents } from './scene-events.js'

/** Counts what happens for Prometheus; names of classes are those of the model. */
export interface SceneFigures {
  entered(camera: string, zone: string, className: string): void
  left(camera: string, zone: string, className: string, dwellMs: number): void
  crossed(camera: string, line: string, className: string, isForward: boolean): void
  objects(camera: string, zone: string, className: string, count: number): void
}

export interface CameraSceneOptions {
  readonly camera: string
  readonly plan: ScenePlan
  /** How long an object that is not seen counts as still there. */
  readonly bufferMs: number
  /** What was saved before a restart. */
  readonly saved: unknown
  readonly figures: SceneFigures | undefined
  /** How events are told; none are unless given. */
  readonly events: Omit<SceneEventOptions, 'camera' | 'clock' | 'logger'> | undefined
  readonly clock: Clock
  readonly logger: Logger
}

export class CameraScene implements FrameWatch {
  readonly #options: CameraSceneOptions
  readonly #watch: ZoneWatch
  readonly #sums: DaySums
  readonly #time: FrameTime
  readonly #events: SceneEvents | undefined
  #classNames: readonly string[] | undefined

  constructor(options: CameraSceneOptions) {
    const { camera, plan, bufferMs, clock, saved, events, logger } = options
    this.#options = options
    this.#time = new FrameTime(clock)
    this.#sums = new DaySums(saved, clock.wallMs(), clock.monotonicMs())
    this.#watch = new ZoneWatch(plan, bufferMs, {
      entered: (zone, slot) => {
        const { name, dwellMs } = plan.zones[zone]!
        this.#entered(name, slot)
        this.#events?.entered(zone, name, slot, dwellMs)
      },
      left: (zone, slot, dwellMs) => {
        this.#left(plan.zones[zone]!.name, this.#watch.classNameIn(slot), dwellMs)
        this.#events?.left(zone, slot, dwellMs)
      },
      crossed: (line, slot, isForward) => {
        this.#crossed(plan.lines[line]!.name, slot, isForward)
        this.#events?.crossed(plan.lines[line]!.name, slot, isForward)
      },
    })
    this.#events =
      events === undefined ? undefined : new SceneEvents({ ...events, camera, clock, logger }, this.#watch)
  }

  /** Rises with every change of what `counts` says, but for its day. */
  get revision(): number {
    return this.#watch.revision
  }

  found(frame: FrameLease, result: FrameResult): void {
    if (result.classNames !== this.#classNames) this.#checkClasses(result.classNames)
    this.#events?.seenBy(result.identity.model, result.identity.version)
    this.#watch.update(result, this.#time.of(result.capturedAtMs))
    this.#events?.look(frame)
  }

  /** Nothing comes any more: whoever is in a zone leaves it. Settles when its events are sent or kept. */
  async end(): Promise<void> {
    this.#watch.endAll()
    await this.#events?.settle()
  }

  /** Notices what happens without frames: a camera that gives none, midnight. Returns whether the day is another one. */
  keepTime(): boolean {
    const { clock } = this.#options
    this.#watch.endIdle(this.#time.now())
    return this.#sums.keepTime(clock.wallMs(), clock.monotonicMs())
  }

  /** For the next run. */
  saved(): SavedSums {
    return this.#sums.saved()
  }

  /** What is in the zones now, and what was counted today. */
  counts(): Counts {
    const { plan, clock } = this.#options
    const counts: Counts = {
      at: new Date(clock.wallMs()).toISOString(),
      day: this.#sums.date,
      zones: plan.zones.map(({ name }, index) => this.#zoneCounts(name, index)),
      lines: plan.lines.map(({ name }) => this.#lineCounts(name)),
    }
    return counts
  }

  #zoneCounts(name: string, zone: number): ZoneCounts {
    const { camera, figures, clock } = this.#options
    const sums = this.#sums.classesOf(name)
    const inside = new Map<string, number>()
    for (const [number, className] of this.#watch.classNames.entries()) {
      const objects = this.#watch.objectsIn(zone, number)
      figures?.objects(camera, name, className, objects)
      if (objects > 0) inside.set(className, objects)
    }
    const sinceMs = this.#watch.sinceIn(zone)
    const [entered, left, dwellMs] = sumOf(sums)
    const occupiedMs = sinceMs === undefined ? undefined : clock.wallMs() - (this.#time.now() - sinceMs)
    return {
      name,
      objects: [...inside.values()].reduce((sum, count) => sum + count, 0),
      ...(occupiedMs !== undefined && { occupiedSince: new Date(occupiedMs).toISOString() }),
      entered,
      left,
      ...(left > 0 && { meanDwellMs: Math.round(dwellMs / left) }),
      classes: mostFrequent(new Set([...inside.keys(), ...sums.keys()]), sums).map((className) => {
        const [classEntered, classLeft] = sums.get(className) ?? [0, 0]
        const objects = inside.get(className) ?? 0
        return { class: wireName(className), objects, entered: classEntered, left: classLeft }
      }),
    }
  }

  #lineCounts(name: string): LineCounts {
    const sums = this.#sums.classesOf(name)
    const [forward, backward] = sumOf(sums)
    return {
      name,
      forward,
      backward,
      classes: mostFrequent(new Set(sums.keys()), sums).map((className) => {
        const [classForward, classBackward] = sums.get(className)!
        return { class: wireName(className), forward: classForward, backward: classBackward }
      }),
    }
  }

  #entered(zone: string, slot: number): void {
    const { camera, logger } = this.#options
    const className = this.#watch.classNameIn(slot)
    logger.debug({ camera, zone, ...this.#watch.trackIn(slot) }, 'an object has entered a zone')
    this.#sumsOf(zone, className)[0]++
    this.#options.figures?.entered(camera, zone, className)
  }

  #left(zone: string, className: string, dwellMs: number): void {
    const sums = this.#sumsOf(zone, className)
    sums[1]++
    sums[2] += dwellMs
    this.#options.figures?.left(this.#options.camera, zone, className, dwellMs)
  }

  #crossed(line: string, slot: number, isForward: boolean): void {
    const { camera, logger } = this.#options
    const className = this.#watch.classNameIn(slot)
    logger.debug({ camera, line, isForward, ...this.#watch.trackIn(slot) }, 'an object has crossed a line')
    this.#sumsOf(line, className)[isForward ? 0 : 1]++
    this.#options.figures?.crossed(camera, line, className, isForward)
  }

  #sumsOf(name: string, className: string): Sums {
    const { clock } = this.#options
    this.#sums.keepTime(clock.wallMs(), clock.monotonicMs())
    return this.#sums.of(name, className)
  }

  /** Says which classes of the settings the model does not have: nothing will ever count there. */
  #checkClasses(classNames: readonly string[]): void {
    this.#classNames = classNames
    const { plan, camera, logger } = this.#options
    const places = [
      ...[...plan.zones, ...plan.lines].map(({ name, classes }) => ({ place: name, classes: classes ?? [] })),
      ...plan.filters.map((filter) => ({
        place: 'filters',
        classes: filter.class === undefined ? [] : [filter.class],
      })),
    ]
    for (const { place, classes } of places)
      for (const name of classes.filter((each) => !classNames.includes(each)))
        logger.warn(
          { camera, place, class: name, known: classNames.slice(0, 20) },
          'the model has no class of this name: nothing counts by it',
        )
  }
}

function sumOf(classes: ReadonlyMap<string, Readonly<Sums>>): Sums {
  const sums: Sums = [0, 0, 0]
  for (const row of classes.values()) for (let part = 0; part < 3; part++) sums[part]! += row[part]!
  return sums
}

/** The classes of `names` that were counted most, in alphabetical order. */
function mostFrequent(
  names: ReadonlySet<string>,
  sums: ReadonlyMap<string, Readonly<Sums>>,
): readonly string[] {
  const weightOf = (name: string): number => {
    const [first, second] = sums.get(name) ?? [0, 0]
    return first + second
  }
  return [...names]
    .sort((one, other) => weightOf(other) - weightOf(one))
    .slice(0, countedClassesMax)
    .sort()
}

/** A name as it may stand on the wire: one line, not too long. */
function wireName(name: string): string {
  return name.replaceAll(/[\u0000-\u001f\u007f]/g, ' ').slice(0, countedNameLengthMax)
}
