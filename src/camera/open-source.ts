/**
 * From an address to frames.
 *
 *      address                               source
 *      clip.mp4, file:///data/clip.mp4       video file                     (ffmpeg)
 *      pictures/, photo.jpg                  picture folder, one picture
 *      rtsp://user:password@host/path        network stream                 (ffmpeg; also rtsps rtmp http https udp tcp srt)
 *      /dev/video0, v4l2://0                 USB or other V4L2 camera       (ffmpeg)
 *      /dev/v4l/by-id/..., /dev/frontcam     the same by a name that survives a reboot
 *      csi://0                               Jetson CSI camera              (gst-launch-1.0, ffmpeg)
 *      libcamera://0                         Raspberry Pi camera            (rpicam-vid, ffmpeg)
 *      webcam://0, webcam://TEST             snapshots                      (node-webcam, fswebcam)
 *      synthetic, synthetic://               drawn shapes, nothing needed
 *      synthetic:///data/bus.jpg             a picture, panned and zoomed
 *
 * A user name or password with / # ? @ % or a space is percent-encoded (%2F %23 %3F %40 %25 %20).
 * Options follow as `#name=value&name=value`; addresses that cannot have a query of their own take `?` as well.
 *
 *      fps         frames above this rate are left out; for pictures and snapshots: the rate
 *      loop        start over at the end (files)               pace       realtime or max (files)
 *      start_s     skip so many seconds (video files)          duration_s end after so many seconds (video files)
 *      decoder     hardware preset, see decoder-presets.ts     transport  tcp or udp (RTSP)
 *      size        WIDTHxHEIGHT to capture (cameras)           format     pixel format to capture (V4L2): mjpeg, yuyv422
 *      seed        of the shapes (synthetic)                   stall_s    silence that counts as a stall
 *
 * Invariant: what can be known to be wrong before the first frame (address, option, missing file, missing program) is refused here;
 * what may pass (a camera that is off) is tried again for ever.
 */

import { randomInt } from 'node:crypto'
import type { Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { redactText } from '../base/address.js'
import type { Clock } from '../base/clock.js'
import { systemClock } from '../base/clock.js'
import { messageOf, systemCodeOf } from '../base/errors.js'
import type { Logger } from '../base/logger.js'
import { silentLogger } from '../base/logger.js'
import type { Random } from '../base/random.js'
import { seededRandom } from '../base/random.js'
import type { DecoderPreset } from './decoder-presets.js'
import type { FrameMode } from './frame-ring.js'
import { FrameRing } from './frame-ring.js'
import type { FrameSource, FrameSupply } from './frame-source.js'
import { isImagePath } from './image-files.js'
import type { SourceContext } from './source-context.js'
import { imageSource } from './image-source.js'
import { SourceSupply } from './source-supply.js'
import { parseSourceUri, sourceInvalid } from './source-uri.js'
import { syntheticSource } from './synthetic-source.js'
import { csiSource, libcameraSource, networkSource, v4l2Source, videoFileSource } from './video-sources.js'
import { webcamSource } from './webcam-source.js'

export interface OpenSourceOptions {
  /** See the head of this file. */
  readonly uri: string
  /** Size of the model's input, pixels. */
  readonly inputWidth: number
  readonly inputHeight: number
  /** `live`: the newest frame wins. `every-frame`: all, in order, the source waits. */
  readonly mode: FrameMode
  /** Slots of the ring; default 4. */
  readonly slotCount?: number
  /** What the address's own options override. */
  readonly decoder?: DecoderPreset
  readonly fpsMax?: number
  /** Starts over at the end: files only. */
  readonly loop?: boolean
  /** Silence that counts as a stall, milliseconds; default 10,000. */
  readonly stallTimeoutMs?: number
  /** Faults in a row after which the source has failed for good; default: never. For a person who waits: 1. */
  readonly faultsMax?: number
  readonly logger?: Logger
  readonly clock?: Clock
  readonly random?: Random
}

const defaults = { slotCount: 4, stallTimeoutMs: 10_000, startTimeoutMs: 30_000 } as const
const backoff = { firstMs: 1000, capMs: 30_000 } as const

async function pathSource(context: SourceContext): Promise<FrameSource> {
  const path = resolve(context.address.target)
  const found: Stats = await stat(path).catch((thrown: unknown) => {
    const isMissing = systemCodeOf(thrown) === 'ENOENT'
    // The system's own sentence repeats the path, and with it whatever was meant as a password.
    throw sourceInvalid(
      context.address.label,
      isMissing ? 'no such file or folder' : redactText(messageOf(thrown), context.address.secrets),
    )
  })
  // A link to a device, wherever it lies.
  if (found.isCharacterDevice()) return v4l2Source(context, path)
  if (found.isDirectory() || isImagePath(path)) return imageSource(context, path)
  return videoFileSource(context, path)
}

function sourceOf(context: SourceContext): Promise<FrameSource> {
  switch (context.address.scheme) {
    case 'path':
      return pathSource(context)
    case 'network':
      return networkSource(context)
    case 'v4l2':
      return v4l2Source(context)
    case 'csi':
      return csiSource(context)
    case 'libcamera':
      return libcameraSource(context)
    case 'webcam':
      return webcamSource(context)
    case 'synthetic':
      return syntheticSource(context)
  }
}

/**
 * Opens a source and starts it. Rejects with `camera.source_invalid` or `resource.tool_missing`; everything later comes through
 * the supply's `next()`. Call `stop()` at the end.
 */
export async function openSource(options: OpenSourceOptions): Promise<FrameSupply> {
  const { inputWidth, inputHeight, mode } = options
  const clock = options.clock ?? systemClock
  const address = parseSourceUri(options.uri, options.loop)
  const fpsMax = address.options.fps ?? options.fpsMax
  const decoder = address.options.decoder ?? options.decoder ?? 'default'
  const source = await sourceOf({ address, mode, decoder, fpsMax, clock })
  const ring = new FrameRing({
    inputWidth,
    inputHeight,
    mode,
    slotCount: options.slotCount ?? defaults.slotCount,
  })
  const askedStallMs =
    address.options.stall_s === undefined ? options.stallTimeoutMs : address.options.stall_s * 1000
  // A source that is meant to give a frame a minute is not stalled after ten seconds.
  const slowestMs = fpsMax === undefined ? 0 : 3000 / fpsMax
  const stallTimeoutMs = Math.max(askedStallMs ?? defaults.stallTimeoutMs, slowestMs)
  return new SourceSupply(source, ring, {
    clock,
    random: options.random ?? seededRandom(randomInt(2 ** 32)),
    logger: options.logger ?? silentLogger,
    stallTimeoutMs,
    startTimeoutMs: Math.max(stallTimeoutMs, defaults.startTimeoutMs),
    backoff,
    faultsMax: options.faultsMax ?? Number.POSITIVE_INFINITY,
  })
}
