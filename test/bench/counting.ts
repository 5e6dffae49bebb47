/**
 * Crossings of a line by parts of generated conveyors, as tracker and zones count them, beside the truth.
 *
 *     npm run bench -- counting [--parts 10000] [--fps 15]
 *
 * Each kind of conveyor runs until so many parts have come. Detections are noisy, missed, mistaken and false as in `tracking`; the truth
 * is where the middle of the lower edge of each part really is. Parts of which a class is counted wrong miss in one row and are too
 * many in another. Ends with status 1 when a class of a conveyor is farther off than one per cent.
 */

import { parseArgs } from 'node:util'
import { Tracker } from '../../src/tracking/tracker.js'
import { DetectionFilter } from '../../src/zones/detection-filter.js'
import type { LinePlan } from '../../src/zones/scene-plan.js'
import { ZoneWatch } from '../../src/zones/zone-watch.js'
import {
  conveyorSequence,
  type ConveyorPlan,
  sequenceHeight,
  sequenceWidth,
} from '../helpers/conveyor-sequence.js'

const { values } = parseArgs({
  options: { parts: { type: 'string', default: '10000' }, fps: { type: 'string', default: '15' } },
})
const fps = Number(values.fps)
const partsPerSecond = 2
const seconds = Number(values.parts) / partsPerSecond
const offMax = 0.01
const classNames = ['bolt', 'nut', 'washer', 'gear']

/** Each class of one way over a line. */
interface Row {
  true: number
  counted: number
}

/** Rows by class and direction. */
class Tally {
  readonly rows = new Map<string, Row>()

  add(className: string, isForward: boolean, of: keyof Row): void {
    const key = `${className} ${isForward ? 'forward' : 'backward'}`
    const row = this.rows.get(key) ?? { true: 0, counted: 0 }
    row[of]++
    this.rows.set(key, row)
  }
}

/** The lines lie where the parts of a conveyor come by: across it, and for the crossing one across each belt. */
const linesOf: Readonly<Record<ConveyorPlan['kind'], readonly LinePlan[]>> = {
  occlusion: [{ name: 'gate', from: [0.55, 1], to: [0.55, 0] }],
  crossing: [
    { name: 'gate', from: [0.7, 1], to: [0.7, 0] },
    { name: 'sill', from: [0, 0.75], to: [1, 0.75] },
  ],
  leaving: [{ name: 'gate', from: [0.5, 1], to: [0.5, 0] }],
}

function count(kind: ConveyorPlan['kind']): Tally {
  const tally = new Tally()
  const tracker = new Tracker()
  const lines = linesOf[kind]
  const watch = new ZoneWatch({ zones: [], lines }, 1000, {
    entered: () => undefined,
    left: () => undefined,
    crossed: (_line, slot, isForward) => {
      tally.add(watch.classNameIn(slot), isForward, 'counted')
    },
  })
  const filter = new DetectionFilter({ masks: [], filters: [] })
  const feet = new Map<number, readonly [number, number]>()
  for (const { atMs, truth, detections } of conveyorSequence({
    kind,
    fps,
    seconds,
    seed: fps,
    partsPerSecond,
  })) {
    const found = [...detections]
    filter.apply(found, classNames, sequenceWidth, sequenceHeight)
    const trackIds = [...tracker.update(found, atMs).subarray(0, found.length)]
    watch.update(
      { detections: found, trackIds, classNames, sourceWidth: sequenceWidth, sourceHeight: sequenceHeight },
      atMs,
    )
    for (const { id, classIndex, x1, x2, y2 } of truth) {
      const foot = [(x1 + x2) / 2 / sequenceWidth, y2 / sequenceHeight] as const
      const before = feet.get(id)
      feet.set(id, foot)
      if (before === undefined) continue
      for (const line of lines) {
        const way = passed(line, before, foot)
        if (way !== 0) tally.add(classNames[classIndex]!, way > 0, 'true')
      }
    }
  }
  return tally
}

/** 1 or -1 where the way leads over an upright or level line through the whole picture, forward or backward. */
function passed(
  { from, to }: LinePlan,
  before: readonly [number, number],
  now: readonly [number, number],
): number {
  const axis = from[0] === to[0] ? 0 : 1
  const at = from[axis]
  if (before[axis] < at === now[axis] < at) return 0
  // To the right of whoever looks upward is where x grows, of whoever looks to the right where y grows.
  return now[axis] >= at ? 1 : -1
}

console.log(`${fps} frames a second, ${values.parts} parts a conveyor`)
console.log('| conveyor | class | direction | true | counted | off |')
console.log('| --- | --- | --- | --- | --- | --- |')
let worst = 0
for (const kind of ['occlusion', 'crossing', 'leaving'] as const)
  for (const [key, row] of [...count(kind).rows].sort(([one], [other]) => one.localeCompare(other))) {
    const [className, direction] = key.split(' ')
    const off = row.true === 0 ? row.counted : (row.counted - row.true) / row.true
    worst = Math.max(worst, Math.abs(off))
    const share = row.true === 0 ? `${row.counted} that were none` : `${(off * 100).toFixed(2)} %`
    console.log(`| ${[kind, className, direction, row.true, row.counted, share].join(' | ')} |`)
  }
console.log(`\nfarthest off: ${(worst * 100).toFixed(2)} %, expected at most ${offMax * 100} %`)
if (worst > offMax) process.exitCode = 1
