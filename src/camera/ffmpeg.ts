/**
 * ffmpeg's command line: an input letterboxed to the model's size, as raw RGB rows on stdout.
 * Invariant: the arguments depend on nothing but what is passed in, and hold no address of a network.
 */

import type { DecoderPreset } from './decoder-presets.js'
import { decoderArgs } from './decoder-presets.js'
import { letterboxFilters } from './letterbox-filter.js'
import type { ToolCommand } from './tool-process.js'

interface Size {
  /** Pixels. */
  readonly width: number
  readonly height: number
}

/** What ffmpeg and ffprobe open, and how. */
export interface VideoInput {
  /** What follows `-i`: a device, `file:` and a path, or `pipe:0`. */
  readonly address: string
  /** The address as it may be shown. */
  readonly label: string
  /** What is to be read on `pipe:0`, where it is no picture: the address of a stream, which may hold a password. */
  readonly script?: string
  /** Texts that must not be printed. */
  readonly secrets?: readonly string[]
  /** Options of the demuxer, understood by ffprobe as well. */
  readonly openArgs: readonly string[]
  /** Options that only ffmpeg knows. */
  readonly readArgs: readonly string[]
}

/** What ffprobe found, or what a capture program was told to make. */
export interface VideoFacts {
  /** ffmpeg's name of the codec, `h264`, `mjpeg`, `rawvideo`, ... */
  readonly codec: string
  /** Frames per second; undefined when the stream does not say. */
  readonly fps: number | undefined
}

export interface ReadOptions {
  readonly decoder: DecoderPreset
  /** Frames above this rate are left out, frames per second. */
  readonly fpsMax: number | undefined
  /** Reads no faster than the frames' own times. */
  readonly isPaced: boolean
  readonly loop: boolean
  readonly startS: number | undefined
  readonly durationS: number | undefined
  /** ffmpeg before 5.1 calls `-fps_mode` `-vsync`. */
  readonly hasFpsMode: boolean
}

/** What ffmpeg may open for a stream: networks, never a file. */
const networkProtocols =
  'pipe,tcp,udp,udplite,rtp,srtp,tls,http,https,httpproxy,rtmp,rtmps,rtmpt,rtmpts,rtmpe,srt,crypto,data'

/** The address of a stream, taken apart. */
export interface StreamAddress {
  readonly target: string
  readonly label: string
  readonly secrets: readonly string[]
}

/**
 * A stream of the network. Its address reaches ffmpeg and ffprobe on their stdin, as the one entry of a list in the form of the
 * concat demuxer: every user of the machine reads the arguments of a process, and an address may hold a password.
 * RTSP goes over TCP unless `transport` says otherwise. The list of an ffmpeg before 5.0 cannot say so (`hasListOptions` false):
 * there, an address without a secret stands in the arguments, and one with a secret is read over UDP, or TCP if nothing comes.
 * No time-out: its name changed between ffmpeg 4 and 5 and means "listen" in the older; the stall watchdog covers both.
 */
export function networkInput(
  { target, label, secrets }: StreamAddress,
  transport: 'tcp' | 'udp',
  hasListOptions: boolean,
): VideoInput {
  const isRtsp = /^rtsps?:/i.test(target)
  // Not `-fflags nobuffer`: it throws away what was read to find out the format, the first key frame with it. The ring drops what is late.
  const readArgs = isRtsp ? ['-flags', 'low_delay'] : []
  if (isRtsp && !hasListOptions && secrets.length === 0)
    return { address: target, label, openArgs: ['-rtsp_transport', transport], readArgs }
  const list = [
    'ffconcat version 1.0',
    `file '${target.replaceAll("'", "'\\''")}'`,
    ...(isRtsp && hasListOptions ? [`option rtsp_transport ${transport}`] : []),
  ]
  return {
    address: 'pipe:0',
    label,
    script: `${list.join('\n')}\n`,
    secrets,
    openArgs: ['-protocol_whitelist', networkProtocols, '-f', 'concat', '-safe', '0'],
    readArgs,
  }
}

/** A Video4Linux2 device. Without a size or format the driver's current ones are used. */
export function v4l2Input(
  device: string,
  wish: {
    readonly width?: number | undefined
    readonly height?: number | undefined
    readonly fps?: number | undefined
    readonly pixelFormat?: string | undefined
  },
): VideoInput {
  const openArgs = ['-f', 'v4l2']
  if (wish.pixelFormat !== undefined) openArgs.push('-input_format', wish.pixelFormat)
  if (wish.width !== undefined && wish.height !== undefined)
    openArgs.push('-video_size', `${wish.width}x${wish.height}`)
  if (wish.fps !== undefined) openArgs.push('-framerate', String(wish.fps))
  return { address: device, label: device, openArgs, readArgs: [] }
}

/** A video file. */
export function fileInput(path: string): VideoInput {
  return { address: `file:${path}`, label: path, openArgs: [], readArgs: [] }
}

/** Planar 4:2:0 frames without a header, on stdin. */
export function rawStdinInput(width: number, height: number, fps: number): VideoInput {
  const openArgs = ['-f', 'rawvideo', '-pixel_format', 'yuv420p', '-video_size', `${width}x${height}`]
  return {
    address: 'pipe:0',
    label: 'raw frames',
    openArgs: [...openArgs, '-framerate', String(fps)],
    readArgs: [],
  }
}

/** The filters: rate, then letterbox. */
function videoFilters(input: Size, fpsMax: number | undefined, fps: number | undefined): string {
  const isLimited = fpsMax !== undefined && (fps === undefined || fps > fpsMax)
  return `${isLimited ? `fps=${fpsMax},` : ''}${letterboxFilters(input)}`
}

/** A program that opens `source`, with arguments that hold no secret. */
export function toolCommandOf(
  command: 'ffmpeg' | 'ffprobe',
  args: readonly string[],
  { script, secrets }: VideoInput,
): ToolCommand {
  return { command, args, ...(script !== undefined && { script }), ...(secrets !== undefined && { secrets }) }
}

/** The whole command. The output is frames as letterbox-filter.ts describes them, for a model's input of the size `input`. */
export function ffmpegCommand(
  source: VideoInput,
  facts: VideoFacts,
  input: Size,
  options: ReadOptions,
): ToolCommand {
  const args = [
    '-nostdin',
    '-hide_banner',
    '-loglevel',
    'error',
    ...decoderArgs(options.decoder, facts.codec),
  ]
  if (options.isPaced) args.push('-re')
  if (options.loop) args.push('-stream_loop', '-1')
  if (options.startS !== undefined) args.push('-ss', String(options.startS))
  args.push(...source.readArgs, ...source.openArgs, '-i', source.address)
  if (options.durationS !== undefined) args.push('-t', String(options.durationS))
  args.push('-map', '0:v:0', '-vf', videoFilters(input, options.fpsMax, facts.fps))
  // Frames as they come: without this, ffmpeg repeats and drops frames to make the rate constant.
  args.push(options.hasFpsMode ? '-fps_mode' : '-vsync', 'passthrough')
  return toolCommandOf('ffmpeg', [...args, '-pix_fmt', 'rgb24', '-f', 'rawvideo', 'pipe:1'], source)
}

/** What an ffmpeg can do. */
export interface FfmpegAbilities {
  /** `-fps_mode`, which is called `-vsync` before 5.1. */
  readonly hasFpsMode: boolean
  /** Options in a list of the concat demuxer: 5.0 and later. */
  readonly hasListOptions: boolean
}

/** What the ffmpeg that printed `banner` (`ffmpeg -version`) can do; builds without a number are new ones. */
export function abilitiesOf(banner: string): FfmpegAbilities {
  const match = /^ffmpeg version n?(\d+)\.(\d+)/.exec(banner)
  const major = match === null ? Number.POSITIVE_INFINITY : Number(match[1])
  const minor = match === null ? 0 : Number(match[2])
  return { hasFpsMode: major > 5 || (major === 5 && minor >= 1), hasListOptions: major >= 5 }
}
