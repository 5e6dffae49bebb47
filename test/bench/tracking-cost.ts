/**
 * What tracking costs a device, and zones and lines on top of it: cameras at 30 frames a second with many objects each, as a share
 * of one core, and what it leaves for the garbage collector.
 *
 *     npm run bench -- tracking-cost [--cameras 8] [--objects 50] [--seconds 60] [--zones 0]
 *
 * `--zones 4` gives each camera four zones, four lines and a mask.
 */

import { PerformanceObserver } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { seededRandom } from '../../src/base/random.js'
import { Tracker } from '../../src/tracking/tracker.js'
import type { Detection } from '../../src/yolo/detection.js'
import { DetectionFilter } from '../../src/zones/detection-filter.js'
import { ZoneWatch } from '../../src/zones/zone-watch.js'

const { values } = parseArgs({
  options: {
    cameras: { type: 'string', default: '8' },
    objects: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '60' },
    zones: { type: 'string', default: '0' },
  },
})
const cameras = Number(values.cameras)
const objects = Number(values.objects)
const fps = 30
/** Movement of one camera that comes back to where it began, drawn before anything is measured. */
const loop = drawLoop(objects, 10 * fps)
const trackers = Array.from({ length: cameras }, () => new Tracker())
const classNames = ['bolt', 'nut', 'washer', 'gear', 'spring']
const picture = { sourceWidth: 1280, sourceHeight: 720 }
const zoneCount = Number(values.zones)
let happenings = 0
const frameOfAll = {
  ...picture,
  classNames,
  detections: [] as Detection[],
  trackIds: new Int32Array(0) as Int32Array,
}
const watches = Array.from({ length: zoneCount === 0 ? 0 : cameras }, () => watchOf(zoneCount))
const mask = new DetectionFilter({
  masks: [
    [
      [0, 0],
      [0.001, 0],
      [0, 0.001],
    ],
  ],
  filters: [],
})
let collections = 0
new PerformanceObserver((list) => {
  collections += list.getEntries().length
}).observe({ entryTypes: ['gc'] })

function run(seconds: number): number {
  const frames = seconds * fps
  const before = process.cpuUsage()
  for (let frame = 0; frame < frames; frame++)
    for (let camera = 0; camera < cameras; camera++)
      look(camera, loop[frame % loop.length]!, (frame * 1000) / fps)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

run(10)
await new Promise((resolve) => setTimeout(resolve, 100))
collections = 0
const heapBefore = process.memoryUsage().heapUsed
const seconds = Number(values.seconds)
const busy = run(seconds)
const heapAfter = process.memoryUsage().heapUsed
await new Promise((resolve) => setTimeout(resolve, 100))
const frames = seconds * fps * cameras
console.log(`${cameras} cameras x ${fps} frames a second x ${objects} objects, ${seconds} s of them`)
console.log(
  `${((busy / seconds) * 100).toFixed(2)} % of one core, ${((busy / frames) * 1e6).toFixed(1)} µs a frame`,
)
console.log(
  ...(zoneCount > 0 ? [`${zoneCount} zones and lines a camera, ${happenings} happenings in them;`] : []),
  `${collections} garbage collections; ${((heapAfter - heapBefore) / frames).toFixed(1)} bytes of heap a frame`,
)

/** One frame of a camera; what is handed on with it is made once, as the pipeline makes it in any case. */
function look(camera: number, detections: Detection[], atMs: number): void {
  const watch = watches[camera]
  if (watch !== undefined) mask.apply(detections, classNames, picture.sourceWidth, picture.sourceHeight)
  const ids = trackers[camera]!.update(detections, atMs)
  if (watch === undefined) return
  frameOfAll.detections = detections
  frameOfAll.trackIds = ids
  watch.update(frameOfAll, atMs)
}

function watchOf(count: number): ZoneWatch {
  const places = Array.from({ length: count }, (_, index) => (index + 0.5) / count)
  const happened = (): void => {
    happenings++
  }
  return new ZoneWatch(
    {
      zones: places.map((at, index) => ({
        name: `zone${index}`,
        polygon: [
          [at - 0.1, 0.2],
          [at + 0.1, 0.2],
          [at + 0.1, 0.6],
          [at, 0.8],
          [at - 0.1, 0.6],
        ],
        dwellMs: 0,
      })),
      lines: places.map((at, index) => ({ name: `line${index}`, from: [at, 1], to: [at, 0] })),
    },
    1000,
    { entered: happened, left: happened, crossed: happened },
  )
}

function drawLoop(count: number, length: number): readonly Detection[][] {
  const random = seededRandom(1)
  const things = Array.from({ length: count }, () => ({
    x: random.next() * 1200,
    y: random.next() * 650,
    size: 30 + random.next() * 60,
    phase: random.next() * 2 * Math.PI,
    classIndex: random.integer(5),
  }))
  return Array.from({ length }, (_, frame) =>
    things.map(({ x, y, size, phase, classIndex }) => {
      const turn = (2 * Math.PI * frame) / length + phase
      const left = x + Math.cos(turn) * 150 + random.normal()
      const top = y + Math.sin(turn) * 80 + random.normal()
      const score = 0.3 + random.next() * 0.65
      return { x1: left, y1: top, x2: left + size, y2: top + size * 1.4, score, classIndex }
    }),
  )
}
