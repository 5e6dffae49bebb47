import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer as createWebServer } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import t from 'tap'
import type { Clock } from '../../src/base/clock.js'
import { systemClock } from '../../src/base/clock.js'
import type { Logger } from '../../src/base/logger.js'
import { silentLogger } from '../../src/base/logger.js'
import type { FrameLease } from '../../src/camera/frame-lease.js'
import type { FrameSupply } from '../../src/camera/frame-source.js'
import { openSource } from '../../src/camera/open-source.js'
import { letterbox } from '../../src/yolo/letterbox.js'
import {
  allowOnlyTools,
  childProcesses,
  countedGrey,
  skipWithoutTool,
  writeClip,
  writeCountedClip,
} from '../helpers/clips.js'
import { shared, skipWithout } from '../helpers/paths.js'
import { serveRtsp } from '../helpers/rtsp-server.js'

const skip = skipWithoutTool('ffmpeg')
const forever = new AbortController().signal
const shape = { inputWidth: 64, inputHeight: 64, mode: 'every-frame' } as const

/** Waits no longer than it must between two openings. */
const hastyClock: Clock = {
  ...systemClock,
  sleep: (delayMs, signal) => systemClock.sleep(Math.min(delayMs, 20), signal),
}

const folder = t.testdir({ 'note.mp4': 'no video' })
const counted = join(folder, 'counted.mkv')
if (skip === false) writeCountedClip(counted, { width: 64, height: 32, frames: 40, fps: 20 })

function pixelsOf(lease: FrameLease): Uint8Array {
  return new Uint8Array(lease.pixels, lease.byteOffset, lease.byteLength)
}

async function take(supply: FrameSupply): Promise<FrameLease> {
  const lease = await supply.next(forever)
  if (lease === undefined) throw new Error('expected a frame')
  return lease
}

/** Every frame until the end: the value in the middle of each. */
async function greysOf(uri: string): Promise<number[]> {
  const supply = await openSource({ uri, ...shape })
  const greys: number[] = []
  for (let lease = await supply.next(forever); lease !== undefined; lease = await supply.next(forever)) {
    greys.push(pixelsOf(lease)[(32 * 64 + 32) * 3]!)
    lease.release()
  }
  await supply.stop()
  return greys
}

function expectedGreys(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => countedGrey(from + index))
}

t.test('every frame of a file arrives, in order, at a slow consumer', { skip }, async (t) => {
  const supply = await openSource({ uri: counted, ...shape })
  const band = letterbox({ width: 64, height: 32 }, { width: 64, height: 64 })
  for (let index = 0; index < 40; index++) {
    const lease = await take(supply)
    if (index % 7 === 0) await systemClock.sleep(10)
    const pixels = pixelsOf(lease)
    const inside = pixels.subarray(band.padTop * 192, (band.padTop + band.scaledHeight) * 192)
    if (!inside.every((byte) => byte === countedGrey(index))) t.fail(`frame ${index} is another`)
    t.equal(lease.frameId, index + 1)
    lease.release()
  }
  t.equal(await supply.next(forever), undefined)
  t.match(supply.stats(), { captured: 40, dropped: 0, restarts: 0 })
  await supply.stop()
  t.same(childProcesses(), [])
})

t.test('options choose the part and the rate', { skip }, async (t) => {
  t.same(await greysOf(`${counted}#start_s=1`), expectedGreys(20, 40))
  t.same(await greysOf(`${counted}#duration_s=0.5`), expectedGreys(0, 10))
  t.equal((await greysOf(`${counted}#fps=5`)).length, 10)
  t.equal((await greysOf(`${counted}#fps=50`)).length, 40)
})

t.test('loop starts over; pace keeps the time of the recording', { skip }, async (t) => {
  const supply = await openSource({ uri: `${counted}#loop=true`, ...shape })
  for (let index = 0; index < 90; index++) {
    const lease = await take(supply)
    if (pixelsOf(lease)[(32 * 64 + 32) * 3] !== countedGrey(index % 40)) t.fail(`frame ${index} is another`)
    lease.release()
  }
  await supply.stop()
  const startedAtMs = performance.now()
  await greysOf(`${counted}#pace=realtime&duration_s=0.5`)
  t.ok(performance.now() - startedAtMs > 400)
})

t.test('a file that is no video, or cut before its index, is refused by name', { skip }, async (t) => {
  const cut = join(folder, 'cut.mp4')
  writeClip(cut, ['-f', 'lavfi', '-i', 'testsrc=size=64x64:duration=1', '-c:v', 'mpeg4'])
  truncateSync(cut, Math.floor(statSync(cut).size / 2))
  for (const name of ['note.mp4', 'cut.mp4', 'gone.mp4']) {
    const opening = openSource({ uri: join(folder, name), ...shape })
    await t.rejects(opening, { code: 'camera.source_invalid', message: new RegExp(name) })
  }
})

t.test('a file cut in the middle gives the frames it has', { skip }, async (t) => {
  const cut = join(folder, 'cut.mkv')
  copyFileSync(counted, cut)
  truncateSync(cut, Math.floor(statSync(counted).size / 2))
  const supply = await openSource({ uri: cut, ...shape })
  let count = 0
  const drain = async (): Promise<void> => {
    for (let lease = await supply.next(forever); lease !== undefined; lease = await supply.next(forever)) {
      count++
      lease.release()
    }
  }
  await drain().catch((thrown: unknown) => {
    t.match(thrown, { code: 'camera.stream_broken' })
  })
  t.ok(count > 5 && count < 40, `${count} of 40 frames`)
  await supply.stop()
})

t.test('ffmpeg is killed: a loop goes on, a single pass ends with the reason', { skip }, async (t) => {
  const killFfmpeg = (): void => {
    for (const { pid, name } of childProcesses()) if (name === 'ffmpeg') process.kill(pid, 'SIGKILL')
  }
  const loop = await openSource({ uri: `${counted}#loop=true`, ...shape, clock: hastyClock })
  ;(await take(loop)).release()
  killFfmpeg()
  while (loop.stats().restarts === 0) (await take(loop)).release()
  const { captured } = loop.stats()
  while (loop.stats().captured < captured + 10) (await take(loop)).release()
  t.equal(loop.stats().restarts, 1)
  await loop.stop()

  const once = await openSource({ uri: `${counted}#pace=realtime`, ...shape })
  ;(await take(once)).release()
  killFfmpeg()
  const drain = async (): Promise<void> => {
    for (;;) (await take(once)).release()
  }
  await t.rejects(drain(), { code: 'camera.stream_broken', message: /SIGKILL/ })
  await once.stop()
  t.same(childProcesses(), [])
})

t.test('ffmpeg hangs: it is ended and started again', { skip }, async (t) => {
  const uri = `${counted}#loop=true&pace=realtime&stall_s=0.4`
  const supply = await openSource({ uri, ...shape, mode: 'live', clock: hastyClock })
  ;(await take(supply)).release()
  for (const { pid, name } of childProcesses()) if (name === 'ffmpeg') process.kill(pid, 'SIGSTOP')
  while (supply.stats().restarts === 0) (await take(supply)).release()
  ;(await take(supply)).release()
  // A slow machine may need another one before the new process has drawn its first frame.
  t.ok(supply.stats().restarts >= 1)
  await supply.stop()
  t.same(childProcesses(), [])
})

t.test('a stream whose sender closes is opened again, over TCP and over RTSP', { skip }, async (t) => {
  const path = join(folder, 'stream.ts')
  const drawing = 'testsrc=size=64x64:duration=1:rate=10'
  writeClip(path, ['-f', 'lavfi', '-i', drawing, '-c:v', 'mpeg2video', '-f', 'mpegts'])
  const bytes = readFileSync(path)
  const sender = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.end(bytes)
  })
  await new Promise<void>((resolve) => sender.listen(0, '127.0.0.1', resolve))
  const camera = await serveRtsp(bytes, 'admin:p%ss')
  const { port } = sender.address() as AddressInfo
  for (const uri of [`tcp://127.0.0.1:${port}`, `rtsp://admin:p%25ss@127.0.0.1:${camera.port}/stream`]) {
    const supply = await openSource({ uri, ...shape, clock: hastyClock })
    for (let frame = 0; frame < 25; frame++) (await take(supply)).release()
    t.ok(supply.stats().restarts >= 2, supply.label)
    await supply.stop()
  }
  t.ok(camera.sessions() >= 4, 'the password was right')
  camera.close()
  sender.close()
})

/** Two clips of moving shapes, `before` and `after` in size, in the form of a stream that can be joined. */
function twoSizes(codec: readonly string[], ending: string): readonly [Buffer, Buffer] {
  const parts = ['64x48', '128x72'].map((size) => {
    const path = join(folder, `${size}.${ending}`)
    writeClip(path, ['-f', 'lavfi', '-i', `testsrc=size=${size}:rate=10`, '-frames:v', '12', ...codec])
    return readFileSync(path)
  })
  return [parts[0]!, parts[1]!]
}

/** Takes `count` frames: how many of each size of picture, in order; and whether the grey lies as the size wants it. */
async function sizesOf(supply: FrameSupply, count: number): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {}
  for (let taken = 0; taken < count; taken++) {
    const lease = await supply.next(forever)
    if (lease === undefined) break
    const { sourceWidth, sourceHeight, padTop } = lease.letterbox
    const column = Array.from({ length: 64 }, (_, row) =>
      pixelsOf(lease)
        .subarray((row * 64 + 32) * 3)
        .slice(0, 3),
    )
    const greyAbove = column.findIndex((pixel) => !pixel.every((byte) => byte === 114))
    const name = `${sourceWidth}x${sourceHeight}${greyAbove === padTop ? '' : ` grey ${greyAbove} is not ${padTop}`}`
    sizes[name] = (sizes[name] ?? 0) + 1
    lease.release()
  }
  return sizes
}

t.test('pictures that change their size in a file of joined parts stay right', { skip }, async (t) => {
  const [small, large] = twoSizes(['-c:v', 'mpeg2video', '-bf', '0', '-f', 'mpegts'], 'ts')
  const joined = join(folder, 'joined.ts')
  writeFileSync(joined, Buffer.concat([small, large, small]))
  for (const options of ['', '#fps=5', '#pace=realtime']) {
    const supply = await openSource({ uri: `${joined}${options}`, ...shape })
    const sizes = await sizesOf(supply, 100)
    t.same(Object.keys(sizes), ['64x48', '128x72'], options)
    // Where one size ends, the decoder of MPEG-2 keeps a picture to itself.
    if (options === '')
      t.ok((sizes['64x48'] ?? 0) >= 22 && (sizes['128x72'] ?? 0) >= 11, JSON.stringify(sizes))
    t.match(supply.stats(), { restarts: 0, dropped: 0 })
    await supply.stop()
  }
  t.same(childProcesses(), [])
})

t.test('a camera that changes its size goes on, at once, and is not opened again', { skip }, async (t) => {
  const transport = twoSizes(['-c:v', 'mpeg2video', '-bf', '0', '-f', 'mpegts'], 'ts')
  const [motionBefore, motionAfter] = twoSizes(['-c:v', 'mjpeg', '-f', 'mpjpeg'], 'mpjpeg')
  // Each part of the body ends with a boundary; the first one of what follows would be a second.
  const motion = [motionBefore, motionAfter.subarray('--ffmpeg\r\n'.length)] as const
  let openings = 0
  // Half a second of one size, then the other, to the end.
  const send = async (out: Writable, [small, large]: readonly [Buffer, Buffer]): Promise<void> => {
    openings++
    out.on('error', () => undefined)
    out.write(small)
    await systemClock.sleep(300)
    for (let round = 0; round < 20 && !out.destroyed; round++) {
      out.write(large)
      await systemClock.sleep(100)
    }
    out.end()
  }
  const sender = createServer((socket) => void send(socket, transport))
  const web = createWebServer((request, response) => {
    const isMotion = request.url === '/motion'
    response.setHeader('content-type', isMotion ? 'multipart/x-mixed-replace;boundary=ffmpeg' : 'video/mp2t')
    void send(response, isMotion ? motion : transport)
  })
  const rtsp = await serveRtsp(Buffer.concat([...transport, transport[1]]), 'admin:pass')
  for (const server of [sender, web])
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port
  const told: object[] = []
  const logger: Logger = {
    ...silentLogger,
    warn: (fields, message) => void told.push({ ...fields, message }),
  }
  for (const uri of [
    `tcp://127.0.0.1:${portOf(sender)}`,
    `http://127.0.0.1:${portOf(web)}/transport`,
    `http://127.0.0.1:${portOf(web)}/motion`,
    `rtsp://admin:pass@127.0.0.1:${rtsp.port}/stream`,
  ]) {
    told.length = 0
    openings = 0
    const supply = await openSource({ uri, ...shape, logger })
    const sizes = await sizesOf(supply, 20)
    t.same(Object.keys(sizes), ['64x48', '128x72'], supply.label)
    t.match(supply.stats(), { restarts: 0 })
    t.match(told, [
      {
        size: '128x72',
        size_before: '64x48',
        source: supply.label,
        message: /has changed the size/,
      },
    ])
    if (!uri.startsWith('rtsp')) t.equal(openings, 2, 'one for the probe, one for the frames')
    await supply.stop()
  }
  t.same(childProcesses(), [])
  rtsp.close()
  sender.close()
  web.close()
  web.closeAllConnections()
})

t.test('a wrong password is told as such, without the password', { skip }, async (t) => {
  const camera = await serveRtsp(Buffer.alloc(0), 'admin:right')
  const uri = `rtsp://admin:wrong@127.0.0.1:${camera.port}/stream`
  const supply = await openSource({ uri, ...shape, faultsMax: 1 })
  const failed: unknown = await supply.next(forever).catch((thrown: unknown) => thrown)
  t.match(failed, { code: 'camera.open_failed', message: /401|Unauthorized/ })
  t.notMatch(String(failed), /wrong|admin/)
  camera.close()
})

t.test('a camera that does not answer: the reason without the password', { skip }, async (t) => {
  const supply = await openSource({ uri: 'rtsp://admin:secret@127.0.0.1:9/stream', ...shape, faultsMax: 1 })
  t.equal(supply.label, 'rtsp://***@127.0.0.1:9/stream')
  const failed: unknown = await supply.next(forever).catch((thrown: unknown) => thrown)
  t.match(failed, { code: 'camera.open_failed', message: /rtsp:\/\/\*\*\*@127\.0\.0\.1:9/ })
  t.notMatch(String(failed), /secret|admin/)
  const device = await openSource({ uri: '/dev/video63', ...shape, faultsMax: 1 })
  await t.rejects(device.next(forever), { code: 'camera.open_failed', message: /\/dev\/video63/ })
})

t.test('raw frames of a capture program go through ffmpeg', { skip }, async (t) => {
  const tools = join(folder, 'tools')
  mkdirSync(tools)
  const drawing = 'testsrc=size=1280x720:rate=30'
  for (const tool of ['rpicam-vid', 'gst-launch-1.0']) {
    const script = `#!/bin/sh\nexec ffmpeg -v error -f lavfi -i ${drawing} -pix_fmt yuv420p -f rawvideo -\n`
    writeFileSync(join(tools, tool), script)
    chmodSync(join(tools, tool), 0o755)
  }
  allowOnlyTools(t, ['ffmpeg', 'ffprobe'], tools)
  for (const uri of ['libcamera://0', 'csi://0']) {
    const supply = await openSource({ uri, ...shape })
    const lease = await take(supply)
    t.match(lease.letterbox, { sourceWidth: 1280, sourceHeight: 720, scaledHeight: 36, padTop: 14 })
    t.ok(new Set(pixelsOf(lease)).size > 20)
    lease.release()
    await supply.stop()
  }
  t.same(childProcesses(), [])
})

t.test(
  'capture programs that are missing are named; sizes they cannot make are refused',
  { skip },
  async (t) => {
    for (const [uri, name] of [
      ['libcamera://0', /apt install rpicam-apps/],
      ['csi://0', /apt install gstreamer1\.0-tools/],
    ] as const) {
      const supply = await openSource({ uri, ...shape })
      await t.rejects(supply.next(forever), { code: 'resource.tool_missing', message: name })
      await t.rejects(openSource({ uri: `${uri}?size=1000x720`, ...shape }), {
        code: 'camera.source_invalid',
        message: /1000x720; expected a width that is a multiple of 64/,
      })
    }
  },
)

t.test('without ffmpeg its package is named', async (t) => {
  allowOnlyTools(t, [])
  for (const uri of [join(folder, 'note.mp4'), 'rtsp://cam/1', '/dev/video0', 'csi://0']) {
    await t.rejects(openSource({ uri, ...shape }), {
      code: 'resource.tool_missing',
      message: 'cannot run ffmpeg: it is not installed (apt install ffmpeg)',
    })
  }
})

t.test(
  'a real recording, live: the newest frame, the others counted',
  { skip: skip !== false ? skip : skipWithout('videos', 'bottle-detection.mp4') },
  async (t) => {
    const uri = `${shared('videos', 'bottle-detection.mp4')}#pace=max&duration_s=4`
    const supply = await openSource({ uri, inputWidth: 640, inputHeight: 640, mode: 'live' })
    let taken = 0
    for (let lease = await supply.next(forever); lease !== undefined; lease = await supply.next(forever)) {
      taken++
      t.match(lease.letterbox, { sourceWidth: 640, sourceHeight: 360, padTop: 140 })
      await systemClock.sleep(10)
      lease.release()
    }
    const { captured, dropped } = supply.stats()
    t.equal(captured, 120)
    t.equal(captured, taken + dropped)
    await supply.stop()
  },
)
