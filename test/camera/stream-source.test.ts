import t from 'tap'
import { systemClock } from '../../src/base/clock.js'
import { FrameRing } from '../../src/camera/frame-ring.js'
import { streamSource } from '../../src/camera/stream-source.js'
import type { ToolCommand } from '../../src/camera/tool-process.js'
import { letterbox } from '../../src/yolo/letterbox.js'
import { allowOnlyTools, childProcesses, skipWithoutTool } from '../helpers/clips.js'

const skip = skipWithoutTool('ffmpeg')
const box = letterbox({ width: 32, height: 16 }, { width: 32, height: 32 })
const forever = new AbortController().signal
const report = { unreadable: (): void => undefined }

function ringOf(): FrameRing {
  return new FrameRing({ inputWidth: 32, inputHeight: 32, mode: 'live', slotCount: 4 })
}

/** ffmpeg draws `frames` frames of the size and writes them raw. */
function drawing(frames: number, size: string, pixelFormat: string): ToolCommand {
  const source = ['-f', 'lavfi', '-i', `testsrc=size=${size}:rate=25`, '-frames:v', String(frames)]
  return {
    command: 'ffmpeg',
    args: ['-v', 'error', ...source, '-pix_fmt', pixelFormat, '-f', 'rawvideo', 'pipe:1'],
  }
}

const rawToRgb: ToolCommand = {
  command: 'ffmpeg',
  args: [
    ...['-v', 'error', '-f', 'rawvideo', '-pixel_format', 'yuv420p', '-video_size', '32x16', '-i', 'pipe:0'],
    ...['-pix_fmt', 'rgb24', '-f', 'rawvideo', 'pipe:1'],
  ],
}

function sourceOf(...chain: readonly ToolCommand[]): ReturnType<typeof streamSource> {
  const plan = (): Promise<{ chain: readonly ToolCommand[]; letterbox: typeof box }> =>
    Promise.resolve({ chain, letterbox: box })
  return streamSource({ label: 'test', isEndless: false, clock: systemClock, plan })
}

t.test('one program fills the ring and ends', { skip }, async (t) => {
  const ring = ringOf()
  await sourceOf(drawing(7, '32x16', 'rgb24')).run(ring, forever, report)
  t.equal(ring.captured, 7)
  t.same(childProcesses(), [], 'no process is left')
})

t.test('two programs: the first writes into the second', { skip }, async (t) => {
  const ring = ringOf()
  await sourceOf(drawing(60, '32x16', 'yuv420p'), rawToRgb).run(ring, forever, report)
  t.equal(ring.captured, 60)
  t.same(childProcesses(), [], 'no process is left')
})

t.test('no frame at all: the reason is in the error', { skip }, async (t) => {
  const broken: ToolCommand = { command: 'ffmpeg', args: ['-v', 'error', '-i', 'gone.mp4', 'pipe:1'] }
  await t.rejects(sourceOf(broken).run(ringOf(), forever, report), {
    code: 'camera.open_failed',
    message: /cannot read frames from test: ffmpeg ended \(exit 1\): gone\.mp4: No such file/,
  })
  t.same(childProcesses(), [], 'no process is left')
})

t.test('half a frame at the end is a broken stream', { skip }, async (t) => {
  const ring = ringOf()
  const odd = drawing(1, '32x24', 'rgb24')
  await t.rejects(sourceOf(odd).run(ring, forever, report), {
    code: 'camera.stream_broken',
    message: /768 of 1536 bytes/,
  })
  t.equal(ring.captured, 1)
  t.same(childProcesses(), [], 'no process is left')
})

t.test('a program of the chain that is missing takes the others with it', { skip }, async (t) => {
  allowOnlyTools(t, ['ffmpeg'])
  const endless = drawing(1_000_000, '32x16', 'yuv420p')
  await t.rejects(sourceOf(endless, { command: 'rpicam-vid', args: [] }).run(ringOf(), forever, report), {
    code: 'resource.tool_missing',
  })
  await t.rejects(sourceOf({ command: 'rpicam-vid', args: [] }, rawToRgb).run(ringOf(), forever, report), {
    code: 'resource.tool_missing',
  })
  t.same(childProcesses(), [], 'no process is left')
})

t.test('an abort ends every program', { skip }, async (t) => {
  const abort = new AbortController()
  const ring = ringOf()
  const running = sourceOf(drawing(1_000_000, '32x16', 'yuv420p'), rawToRgb).run(ring, abort.signal, report)
  while (ring.captured < 5) await systemClock.sleep(5)
  t.equal(childProcesses().length, 2)
  abort.abort()
  await running
  t.same(childProcesses(), [], 'no process is left')
})
