/**
 * Cameras, files and streams that programs read for us: which program, which arguments.
 * Invariant: the program is known to be installed before the source is handed out.
 */

import { AgentError, isAgentError } from '../base/errors.js'
import type { ReadOptions, VideoFacts, VideoInput } from './ffmpeg.js'
import { ffmpegCommand, fileInput, networkInput, rawStdinInput, v4l2Input } from './ffmpeg.js'
import type { FrameRing } from './frame-ring.js'
import type { FrameSource } from './frame-source.js'
import type { CaptureSize } from './capture-commands.js'
import { jetsonCsiCommand, rpicamCommand } from './capture-commands.js'
import { probeFfmpeg, probeVideo } from './probe-video.js'
import type { SourceContext } from './source-context.js'
import { sourceInvalid } from './source-uri.js'
import { streamSource } from './stream-source.js'
import type { ToolCommand } from './tool-process.js'

async function readOptions(context: SourceContext): Promise<ReadOptions> {
  const { hasFpsMode } = await probeFfmpeg(context.clock)
  const { start_s: startS, duration_s: durationS } = context.address.options
  const { decoder, fpsMax } = context
  return { decoder, fpsMax, isPaced: false, loop: false, startS, durationS, hasFpsMode }
}

function inputSizeOf(ring: FrameRing): { width: number; height: number } {
  return { width: ring.inputWidth, height: ring.inputHeight }
}

/** A source that ffmpeg reads. `look` finds the facts at each opening: a camera may come back with another codec. */
function readSource(
  context: SourceContext,
  input: VideoInput,
  isEndless: boolean,
  options: ReadOptions,
  look: (signal: AbortSignal) => Promise<VideoFacts>,
): FrameSource {
  const { clock, address } = context
  return streamSource({
    label: address.label,
    isEndless,
    clock,
    plan: async (ring, signal) => {
      const facts = await look(signal)
      return [ffmpegCommand(input, facts, inputSizeOf(ring), options)]
    },
  })
}

/** A video file: at its own pace for a live consumer, as fast as it is taken otherwise. Rejects a file that is no video. */
export async function videoFileSource(context: SourceContext, path: string): Promise<FrameSource> {
  const { pace, loop = false } = context.address.options
  const isPaced = pace === undefined ? context.mode === 'live' : pace === 'realtime'
  const options = { ...(await readOptions(context)), isPaced, loop }
  const input = fileInput(path)
  const { signal } = new AbortController()
  const facts = await probeVideo(input, context.clock, signal).catch((thrown: unknown) => {
    if (!isAgentError(thrown, 'camera.open_failed')) throw thrown
    throw new AgentError('camera.source_invalid', thrown.message, { cause: thrown })
  })
  return readSource(context, input, loop, options, () => Promise.resolve(facts))
}

/** A device or stream, which ffprobe looks at before each opening; it should not end. */
async function liveSource(context: SourceContext, input: VideoInput): Promise<FrameSource> {
  const options = await readOptions(context)
  return readSource(context, input, true, options, (signal) => probeVideo(input, context.clock, signal))
}

/** RTSP, HTTP and the like: a stream that should not end. */
export async function networkSource(context: SourceContext): Promise<FrameSource> {
  const { address, clock } = context
  const { hasListOptions } = await probeFfmpeg(clock)
  return liveSource(context, networkInput(address, address.options.transport ?? 'tcp', hasListOptions))
}

/** A V4L2 device: `device` where the address is not one itself. */
export function v4l2Source(context: SourceContext, device = context.address.target): Promise<FrameSource> {
  const { options } = context.address
  const wish = { ...options.size, fps: context.fpsMax, pixelFormat: options.format }
  return liveSource(context, v4l2Input(device, wish))
}

const captureDefaults = { width: 1280, height: 720, fps: 30 } as const

/** A capture program that writes raw 4:2:0 frames into ffmpeg. */
async function capturedSource(
  context: SourceContext,
  capture: (size: CaptureSize) => ToolCommand,
): Promise<FrameSource> {
  const { address, clock } = context
  const size = address.options.size ?? captureDefaults
  if (size.width % 64 !== 0 || size.height % 2 !== 0)
    throw sourceInvalid(
      address.label,
      `the size is ${size.width}x${size.height}; expected a width that is a multiple of 64 and an even height`,
    )
  const fps = context.fpsMax ?? captureDefaults.fps
  const wish = { width: size.width, height: size.height, fps }
  const options = { ...(await readOptions(context)), decoder: 'default' as const }
  return streamSource({
    label: address.label,
    isEndless: true,
    clock,
    plan: (ring) => {
      const raw = rawStdinInput(wish.width, wish.height, fps)
      const reader = ffmpegCommand(raw, { codec: 'rawvideo', fps }, inputSizeOf(ring), options)
      return Promise.resolve([capture(wish), reader])
    },
  })
}

/** A Raspberry Pi camera through rpicam-vid. */
export function libcameraSource(context: SourceContext): Promise<FrameSource> {
  return capturedSource(context, (size) => rpicamCommand(Number(context.address.target), size))
}

/** A CSI camera of a Jetson through gst-launch-1.0. */
export function csiSource(context: SourceContext): Promise<FrameSource> {
  return capturedSource(context, (size) => jetsonCsiCommand(Number(context.address.target), size))
}
