/**
 * How fast frames come, and what they cost this process: node dist/test/bench/frame-source.js [rounds]
 * CPU time of the event loop's process only; ffmpeg's own is not in it. `share at 30 fps` is of one core.
 */

import { openSource } from '../../src/camera/open-source.js'
import { shared, skipWithout } from '../helpers/paths.js'

interface Run {
  readonly frames: number
  readonly fps: number
  readonly cpuMsPerFrame: number
}

async function runOf(uri: string, inputSize: number, framesMax: number): Promise<Run> {
  const supply = await openSource({ uri, inputWidth: inputSize, inputHeight: inputSize, mode: 'every-frame' })
  const { signal } = new AbortController()
  // Opening (a process, a probe) is not part of a frame's cost: measured from the first frame on.
  ;(await supply.next(signal))?.release()
  const startedAtMs = performance.now()
  const cpuBefore = process.cpuUsage()
  let frames = 0
  for (let lease = await supply.next(signal); lease !== undefined; lease = await supply.next(signal)) {
    lease.release()
    if (++frames === framesMax) break
  }
  const { user, system } = process.cpuUsage(cpuBefore)
  const elapsedMs = performance.now() - startedAtMs
  await supply.stop()
  return { frames, fps: (frames * 1000) / elapsedMs, cpuMsPerFrame: (user + system) / 1000 / frames }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}

const rounds = Number(process.argv[2] ?? 3)
const missing = skipWithout('videos', 'bottle-detection.mp4')
const cases: [name: string, uri: string, inputSize: number, framesMax: number][] = [
  ['synthetic shapes, 640', 'synthetic', 640, 500],
]
if (missing === false) {
  const video = shared('videos', 'bottle-detection.mp4')
  const picture = shared('images', 'bus.jpg')
  cases.push(
    ['H.264 640x360 -> 640', video, 640, 2000],
    ['H.264 640x360 -> 320', video, 320, 2000],
    ['H.264 768x432 -> 640', shared('videos', 'one-by-one-person-detection.mp4'), 640, 2000],
    ['picture panned, 640', `synthetic://${picture}`, 640, 500],
    ['JPEG 810x1080 -> 640', `${picture}#loop=true`, 640, 40],
  )
} else {
  console.log(missing)
}

const runs = new Map<string, Run[]>()
for (let round = 0; round < rounds; round++) {
  for (const [name, uri, inputSize, framesMax] of cases) {
    const run = await runOf(uri, inputSize, framesMax)
    runs.set(name, [...(runs.get(name) ?? []), run])
  }
}
for (const [name, list] of runs) {
  const fps = median(list.map((run) => run.fps))
  const cpuMs = median(list.map((run) => run.cpuMsPerFrame))
  const share = (cpuMs * 30) / 10
  console.log(
    `${name.padEnd(24)} ${fps.toFixed(0).padStart(6)} fps  ${cpuMs.toFixed(3)} ms CPU a frame  ${share.toFixed(1)} % at 30 fps`,
  )
}
