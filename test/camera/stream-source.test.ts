import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../src/base/clock.js'
import { FrameRing } from '../../src/camera/frame-ring.js'
import { letterboxFilters } from '../../src/camera/letterbox-filter.js'
import { streamSource } from '../../src/camera/stream-source.js'
import type { ToolCommand } from '../../src/camera/tool-process.js'
import { allowOnlyTools, childProcesses, skipWithoutTool, writeClip } from '../helpers/clips.js'

const skip = skipWithoutTool('ffmpeg')
const forever = new AbortController().signal
const report = { unreadable: (): void => undefined, pictureSize: (): void => undefined }

function ringOf(): FrameRing {
  return new FrameRing({ inputWidth: 32, inputHeight: 32, mode: 'live', slotCount: 4 })
}

const filters = letterboxFilters({ width: 32, height: 32 })

/** ffmpeg draws `frames` frames and writes them as `output` says. */
function drawing(
  frames: number,
  output: readonly string[],
  source = 'testsrc=size=32x16:rate=25',
): ToolCommand {
  return {
    command: 'ffmpeg',
    args: [
      ...['-v', 'error', '-f', 'lavfi', '-i', source, '-frames:v', String(frames)],
      ...[...output, '-f', 'rawvideo', 'pipe:1'],
    ],
  }
}

const yuv = ['-pix_fmt', 'yuv420p']
const letterboxed = ['-vf', filters, '-pix_fmt', 'rgb24']

const rawToRgb: ToolCommand = {
  command: 'ffmpeg',
  args: [
    ...['-v', 'error', '-f', 'rawvideo', '-pixel_format', 'yuv420p', '-video_size', '32x16', '-i', 'pipe:0'],
    ...[...letterboxed, '-f', 'rawvideo', 'pipe:1'],
  ],
}

function sourceOf(...chain: readonly ToolCommand[]): ReturnType<typeof streamSource> {
  return streamSource({
    label: 'test',
    isEndless: false,
    clock: systemClock,
    plan: () => Promise.resolve(chain),
  })
}

t.test('one program fills the ring and ends', { skip }, async (t) => {
  const ring = ringOf()
  await sourceOf(drawing(7, letterboxed)).run(ring, forever, report)
  t.equal(ring.captured, 7)
  t.same(childProcesses(), [], 'no process is left')
})

t.test('two programs: the first writes into the second', { skip }, async (t) => {
  const ring = ringOf()
  await sourceOf(drawing(60, yuv), rawToRgb).run(ring, forever, report)
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
  // A frame is 33 rows: one for the size, 32 for the picture.
  const odd = drawing(1, ['-pix_fmt', 'rgb24'], 'color=black:size=32x50')
  await t.rejects(sourceOf(odd).run(ring, forever, report), {
    code: 'camera.stream_broken',
    message: /1632 of 3168 bytes/,
  })
  t.equal(ring.captured, 1)
  t.same(childProcesses(), [], 'no process is left')
})

t.test('a program of the chain that is missing takes the others with it', { skip }, async (t) => {
  allowOnlyTools(t, ['ffmpeg'])
  const endless = drawing(1_000_000, yuv)
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
  const running = sourceOf(drawing(1_000_000, yuv), rawToRgb).run(ring, abort.signal, report)
  while (ring.captured < 5) await systemClock.sleep(5)
  t.equal(childProcesses().length, 2)
  abort.abort()
  await running
  t.same(childProcesses(), [], 'no process is left')
})

t.test('a picture too large for the header is refused by name', { skip }, async (t) => {
  const white = drawing(3, ['-pix_fmt', 'rgb24'], 'color=white:size=32x33')
  await t.rejects(sourceOf(white).run(ringOf(), forever, report), {
    code: 'camera.stream_broken',
    message: /test: the picture is too large; expected at most 16384 x 16384 pixels/,
  })
  t.same(childProcesses(), [], 'no process is left')
})

t.test('the size of the first picture is told, and each other one', { skip }, async (t) => {
  const sizes: string[] = []
  const listener = {
    ...report,
    pictureSize: (width: number, height: number): void => void sizes.push(`${width}x${height}`),
  }
  const folder = t.testdir({})
  const parts = ['320x240', '1280x720', '320x240'].map((size, index) => {
    const path = join(folder, `${index}.mjpeg`)
    const clip = ['-f', 'lavfi', '-i', `testsrc=size=${size}:rate=10`, '-frames:v', '4', '-c:v', 'mjpeg']
    writeClip(path, clip)
    return readFileSync(path)
  })
  writeFileSync(join(folder, 'joined.mjpeg'), Buffer.concat(parts))
  const joined = { command: 'ffmpeg', args: ['-v', 'fatal', '-i', join(folder, 'joined.mjpeg')] } as const
  const ring = ringOf()
  const chain = [...joined.args, ...letterboxed, '-vsync', 'passthrough', '-f', 'rawvideo', 'pipe:1']
  await sourceOf({ ...joined, args: chain }).run(ring, forever, listener)
  t.equal(ring.captured, 12)
  t.same(sizes, ['320x240', '1280x720', '320x240'])
})
