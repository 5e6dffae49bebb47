import t from 'tap'
import type { ReadOptions } from '../../src/camera/ffmpeg.js'
import {
  abilitiesOf,
  ffmpegCommand,
  fileInput,
  networkInput,
  rawStdinInput,
  v4l2Input,
} from '../../src/camera/ffmpeg.js'
import { letterboxFilters } from '../../src/camera/letterbox-filter.js'

const input = { width: 640, height: 640 }
const facts = { codec: 'h264', fps: 30 }
const stream1 = { target: 'rtsp://u:secret@cam/1', label: 'rtsp://***@cam/1', secrets: ['u:secret'] }
const plain: ReadOptions = {
  decoder: 'default',
  fpsMax: undefined,
  isPaced: false,
  loop: false,
  startS: undefined,
  durationS: undefined,
  hasFpsMode: true,
}

/** The filters of a file of `fps` frames a second, of which at most `fpsMax` are wanted. */
function filtersFor(fpsMax: number | undefined, fps: number | undefined): string | undefined {
  const { args } = ffmpegCommand(fileInput('/a.mp4'), { ...facts, fps }, input, { ...plain, fpsMax })
  return args[args.indexOf('-vf') + 1]
}

t.test('the rate is limited only where it is higher or unknown', (t) => {
  t.equal(filtersFor(10, 30), `fps=10,${letterboxFilters(input)}`)
  t.match(filtersFor(10, undefined), /^fps=10,/)
  t.equal(filtersFor(10, 5), letterboxFilters(input))
  t.equal(filtersFor(undefined, 30), letterboxFilters(input))
  t.end()
})

t.test('a file at full speed', (t) => {
  t.equal(
    ffmpegCommand(fileInput('/a b.mp4'), facts, input, plain).args.join(' '),
    '-nostdin -hide_banner -loglevel error -i file:/a b.mp4 -map 0:v:0 ' +
      `-vf ${letterboxFilters(input)} -fps_mode passthrough -pix_fmt rgb24 -f rawvideo pipe:1`,
  )
  t.end()
})

t.test('options of the input stand before it, the duration behind it', (t) => {
  const { args } = ffmpegCommand(fileInput('/a.mp4'), facts, input, {
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

t.test('the address of a stream is not among the arguments, which every user can read', (t) => {
  const stream = networkInput(stream1, 'tcp', true)
  const { args, script, secrets } = ffmpegCommand(stream, facts, input, plain)
  t.match(args.join(' '), /-flags low_delay .*-f concat -safe 0 -i pipe:0/)
  t.notMatch(args.join(' '), /secret|cam/)
  t.equal(script, `ffconcat version 1.0\nfile '${stream1.target}'\noption rtsp_transport tcp\n`)
  t.same(secrets, stream1.secrets)
  t.match(networkInput(stream1, 'udp', true).script, 'option rtsp_transport udp')
  const quoted = { target: "http://cam/it's", label: '', secrets: [] }
  t.equal(networkInput(quoted, 'tcp', true).script, "ffconcat version 1.0\nfile 'http://cam/it'\\''s'\n")
  t.end()
})

t.test('an older ffmpeg gets the transport where no secret is told, and no secret in any case', (t) => {
  const open = { target: 'rtsp://cam/1', label: 'rtsp://cam/1', secrets: [] }
  t.match(networkInput(open, 'tcp', false), {
    address: 'rtsp://cam/1',
    openArgs: ['-rtsp_transport', 'tcp'],
    script: undefined,
  })
  const { args, script } = ffmpegCommand(networkInput(stream1, 'tcp', false), facts, input, plain)
  t.notMatch(args.join(' '), /secret|cam/)
  t.notMatch(script, /option/)
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

t.test('raw frames from another program come over stdin', (t) => {
  const { args, script } = ffmpegCommand(rawStdinInput(1280, 720, 30), facts, input, plain)
  t.equal(script, undefined)
  t.match(args.join(' '), '-f rawvideo -pixel_format yuv420p -video_size 1280x720 -framerate 30 -i pipe:0')
  t.end()
})

t.test('the banner tells what is known', (t) => {
  const abilities = (version: string): readonly boolean[] => {
    const { hasFpsMode, hasListOptions } = abilitiesOf(`ffmpeg version ${version} Copyright`)
    return [hasFpsMode, hasListOptions]
  }
  t.same(abilities('4.4.2-0ubuntu0.22.04.1'), [false, false])
  t.same(abilities('5.0.1'), [false, true])
  t.same(abilities('5.1.9-0+deb12u1'), [true, true])
  t.same(abilities('n7.1'), [true, true])
  t.same(abilities('N-112000-gabcdef'), [true, true])
  t.end()
})
