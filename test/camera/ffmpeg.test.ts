import t from 'tap'
import type { ReadOptions } from '../../src/camera/ffmpeg.js'
import {
  ffmpegCommand,
  knowsFpsMode,
  plainInput,
  rawStdinInput,
  rtspInput,
  v4l2Input,
  videoFilters,
} from '../../src/camera/ffmpeg.js'
import { letterbox } from '../../src/yolo/letterbox.js'

const input = { width: 640, height: 640 }
const wide = letterbox({ width: 1280, height: 720 }, input)
const tall = letterbox({ width: 720, height: 1280 }, input)
const facts = { width: 1280, height: 720, codec: 'h264', fps: 30 }
const plain: ReadOptions = {
  decoder: 'default',
  fpsMax: undefined,
  isPaced: false,
  loop: false,
  startS: undefined,
  durationS: undefined,
  hasFpsMode: true,
}

t.test('a wide picture is scaled only; a tall one gets grey on both sides', (t) => {
  t.equal(videoFilters(wide, undefined, 30), 'scale=640:360:flags=bilinear,format=rgb24')
  t.equal(
    videoFilters(tall, undefined, 30),
    'scale=360:640:flags=bilinear,format=rgb24,pad=640:640:140:0:color=0x727272',
  )
  t.end()
})

t.test('the rate is limited only where it is higher or unknown', (t) => {
  t.match(videoFilters(wide, 10, 30), /^fps=10,/)
  t.match(videoFilters(wide, 10, undefined), /^fps=10,/)
  t.notMatch(videoFilters(wide, 10, 5), /fps=/)
  t.end()
})

t.test('a file at full speed', (t) => {
  t.equal(
    ffmpegCommand(plainInput('file:/a b.mp4'), facts, wide, plain).args.join(' '),
    '-nostdin -hide_banner -loglevel error -i file:/a b.mp4 -map 0:v:0 ' +
      '-vf scale=640:360:flags=bilinear,format=rgb24 -fps_mode passthrough -pix_fmt rgb24 -f rawvideo pipe:1',
  )
  t.end()
})

t.test('options of the input stand before it, the duration behind it', (t) => {
  const { args } = ffmpegCommand(plainInput('file:/a.mp4'), facts, wide, {
    ...plain,
    decoder: 'rpi',
    isPaced: true,
    loop: true,
    startS: 2,
    durationS: 3,
    hasFpsMode: false,
  })
  t.match(args.join(' '), '-c:v h264_v4l2m2m -re -stream_loop -1 -ss 2 -i file:/a.mp4 -t 3 -map')
  t.match(args.join(' '), '-vsync passthrough')
  t.end()
})

t.test('RTSP goes over TCP unless told otherwise', (t) => {
  t.match(
    ffmpegCommand(rtspInput('rtsp://cam/1', 'tcp'), facts, wide, plain).args.join(' '),
    '-flags low_delay -rtsp_transport tcp -i',
  )
  t.same(rtspInput('rtsp://cam/1', 'udp').openArgs, ['-rtsp_transport', 'udp'])
  t.end()
})

t.test('a V4L2 camera is asked only for what was wished', (t) => {
  t.same(v4l2Input('/dev/video0', {}).openArgs, ['-f', 'v4l2'])
  t.equal(
    v4l2Input('/dev/video0', { width: 640, height: 480, fps: 15, pixelFormat: 'mjpeg' }).openArgs.join(' '),
    '-f v4l2 -input_format mjpeg -video_size 640x480 -framerate 15',
  )
  t.end()
})

t.test('raw frames from another program come over stdin, which stays open', (t) => {
  const { args } = ffmpegCommand(rawStdinInput(1280, 720, 30), facts, wide, plain)
  t.notOk(args.includes('-nostdin'))
  t.match(args.join(' '), '-f rawvideo -pixel_format yuv420p -video_size 1280x720 -framerate 30 -i pipe:0')
  t.end()
})

t.test('the banner tells whether -fps_mode is known', (t) => {
  t.notOk(knowsFpsMode('ffmpeg version 4.2.7-0ubuntu0.1 Copyright'))
  t.notOk(knowsFpsMode('ffmpeg version 5.0.1 Copyright'))
  t.ok(knowsFpsMode('ffmpeg version 5.1.9-0+deb12u1 Copyright'))
  t.ok(knowsFpsMode('ffmpeg version n7.1 Copyright'))
  t.ok(knowsFpsMode('ffmpeg version N-112000-gabcdef Copyright'))
  t.end()
})
