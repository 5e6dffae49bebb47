/**
 * What tracking costs a device: cameras at 30 frames a second with many objects each, as a share of one core, and what it
 * leaves for the garbage collector.
 *
 *     npm run bench -- tracking-cost [--cameras 8] [--objects 50] [--seconds 60]
 */

import { PerformanceObserver } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { seededRandom } from '../../src/base/random.js'
import { Tracker } from '../../src/tracking/tracker.js'
import type { Detection } from '../../src/yolo/detection.js'

const { values } = parseArgs({
  options: {
    cameras: { type: 'string', default: '8' },
    objects: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '60' },
  },
})
const cameras = Number(values.cameras)
const objects = Number(values.objects)
const fps = 30
/** Movement of one camera that comes back to where it began, drawn before anything is measured. */
const loop = drawLoop(objects, 10 * fps)
const trackers = Array.from({ length: cameras }, () => new Tracker())
let collections = 0
new PerformanceObserver((list) => {
  collections += list.getEntries().length
}).observe({ entryTypes: ['gc'] })

function run(seconds: number): number {
  const frames = seconds * fps
  const before = process.cpuUsage()
  for (let frame = 0; frame < frames; frame++)
    for (const tracker of trackers) tracker.update(loop[frame % loop.length]!, (frame * 1000) / fps)
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
  `${collections} garbage collections; ${((heapAfter - heapBefore) / frames).toFixed(1)} bytes of heap a frame`,
)

function drawLoop(count: number, length: number): readonly (readonly Detection[])[] {
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
