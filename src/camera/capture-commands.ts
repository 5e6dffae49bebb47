/**
 * Programs that read a camera which ffmpeg cannot: their command lines.
 * Invariant: each writes planar 4:2:0 frames of exactly the asked size, back to back, on stdout, and nothing else there.
 */

import type { ToolCommand } from './tool-process.js'

export interface CaptureSize {
  /** Pixels; a multiple of 64, so that no program pads its rows. */
  readonly width: number
  /** Pixels; even. */
  readonly height: number
  readonly fps: number
}

/**
 * rpicam-vid (Raspberry Pi OS, rpicam-apps): no time limit, no preview window, raw frames instead of an encoder (a Pi 5 has none),
 * each written at once.
 */
export function rpicamCommand(camera: number, { width, height, fps }: CaptureSize): ToolCommand {
  const size = ['--width', String(width), '--height', String(height), '--framerate', String(fps)]
  return {
    command: 'rpicam-vid',
    args: [
      '--camera',
      String(camera),
      '--timeout',
      '0',
      '--nopreview',
      ...size,
      '--codec',
      'yuv420',
      '--flush',
      '--output',
      '-',
    ],
  }
}

/** `29.97` -> `2997/100`: GStreamer takes rates as fractions. */
function fractionOf(fps: number): string {
  return Number.isInteger(fps) ? `${fps}/1` : `${Math.round(fps * 100)}/100`
}

/**
 * gst-launch-1.0 with NVIDIA's nvarguscamerasrc (Jetson Linux): the ISP's NV12 in device memory, brought to main memory as I420 by
 * nvvidconv. `--quiet`: its progress would land between the frames.
 */
export function jetsonCsiCommand(camera: number, { width, height, fps }: CaptureSize): ToolCommand {
  const size = `width=${width},height=${height}`
  const elements = [
    ['nvarguscamerasrc', `sensor-id=${camera}`],
    [`video/x-raw(memory:NVMM),${size},format=NV12,framerate=${fractionOf(fps)}`],
    ['nvvidconv'],
    [`video/x-raw,${size},format=I420`],
    ['fdsink', 'fd=1', 'sync=false'],
  ]
  return {
    command: 'gst-launch-1.0',
    args: [
      '--quiet',
      '-e',
      ...elements.flatMap((element, position) => (position === 0 ? element : ['!', ...element])),
    ],
  }
}
