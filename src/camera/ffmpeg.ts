/**
 * ffmpeg's command line: an input scaled to the model's size, as raw RGB rows on stdout.
 * Invariant: the arguments depend on nothing but what is passed in; whatever ffmpeg writes has the size of the letterbox's rows.
 */

import type { Letterbox } from '../yolo/letterbox.js'
import type { DecoderPreset } from './decoder-presets.js'
import { decoderArgs } from './decoder-presets.js'
import type { ToolCommand } from './tool-process.js'

/** What ffmpeg and ffprobe open, and how. */
export interface VideoInput {
  /** What follows `-i`: a URL, a device or `file:` and a path. */
  readonly address: string
  /** Options of the demuxer, understood by ffprobe as well. */
  readonly openArgs: readonly string[]
  /** Options that only ffmpeg knows. */
  readonly readArgs: readonly string[]
}

/** What ffprobe found, or what a capture program was told to make. */
export interface VideoFacts {
  /** Size of the upright picture, pixels. */
  readonly width: number
  readonly height: number
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

/** Options that make ffmpeg open RTSP, and decode without holding frames back. */
export function rtspInput(url: string, transport: 'tcp' | 'udp'): VideoInput {
  // No time-out option: its name changed between ffmpeg 4 and 5 and means "listen" in the older; the stall watchdog covers both.
  return {
    address: url,
    openArgs: ['-rtsp_transport', transport],
    // Not `-fflags nobuffer`: it throws away what was read to find out the format, the first key frame with it. The ring drops what is late.
    readArgs: ['-flags', 'low_delay'],
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
  return { address: device, openArgs, readArgs: [] }
}

/** A video file, or anything else that ffmpeg opens without options. */
export function plainInput(address: string): VideoInput {
  return { address, openArgs: [], readArgs: [] }
}

/** Planar 4:2:0 frames without a header, on stdin. */
export function rawStdinInput(width: number, height: number, fps: number): VideoInput {
  const openArgs = ['-f', 'rawvideo', '-pixel_format', 'yuv420p', '-video_size', `${width}x${height}`]
  return { address: 'pipe:0', openArgs: [...openArgs, '-framerate', String(fps)], readArgs: [] }
}

/** The filters: rate, scale, RGB, and grey to the left and right. Above and below, the ring's slots are grey. */
export function videoFilters(box: Letterbox, fpsMax: number | undefined, fps: number | undefined): string {
  const filters: string[] = []
  if (fpsMax !== undefined && (fps === undefined || fps > fpsMax)) filters.push(`fps=${fpsMax}`)
  filters.push(`scale=${box.scaledWidth}:${box.scaledHeight}:flags=bilinear`, 'format=rgb24')
  if (box.scaledWidth !== box.inputWidth) {
    filters.push(`pad=${box.inputWidth}:${box.scaledHeight}:${box.padLeft}:0:color=0x727272`)
  }
  return filters.join(',')
}

/** The whole command. The output is rows of `[scaledHeight, inputWidth, 3]`, frame after frame. */
export function ffmpegCommand(
  input: VideoInput,
  facts: VideoFacts,
  box: Letterbox,
  options: ReadOptions,
): ToolCommand {
  const args = ['-hide_banner', '-loglevel', 'error', ...decoderArgs(options.decoder, facts.codec)]
  if (input.address !== 'pipe:0') args.unshift('-nostdin')
  if (options.isPaced) args.push('-re')
  if (options.loop) args.push('-stream_loop', '-1')
  if (options.startS !== undefined) args.push('-ss', String(options.startS))
  args.push(...input.readArgs, ...input.openArgs, '-i', input.address)
  if (options.durationS !== undefined) args.push('-t', String(options.durationS))
  args.push('-map', '0:v:0', '-vf', videoFilters(box, options.fpsMax, facts.fps))
  // Frames as they come: without this, ffmpeg repeats and drops frames to make the rate constant.
  args.push(options.hasFpsMode ? '-fps_mode' : '-vsync', 'passthrough')
  return { command: 'ffmpeg', args: [...args, '-pix_fmt', 'rgb24', '-f', 'rawvideo', 'pipe:1'] }
}

/** Whether the ffmpeg that printed `banner` (`ffmpeg -version`) knows `-fps_mode`: 5.1 and later, and builds without a number. */
export function knowsFpsMode(banner: string): boolean {
  const match = /^ffmpeg version n?(\d+)\.(\d+)/.exec(banner)
  if (match === null) return true
  const major = Number(match[1])
  return major > 5 || (major === 5 && Number(match[2]) >= 1)
}
