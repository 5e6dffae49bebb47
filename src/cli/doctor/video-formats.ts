/**
 * What a V4L2 device can deliver, as ffmpeg lists it.
 * Invariant: listing opens the device for a moment and starts no stream; a device that cannot be listed has no formats.
 */

import { execFile } from 'node:child_process'

const limitMs = 5_000

/** One line for people: `mjpeg 640x480 1280x720; yuyv422 640x480`; undefined where nothing is told. */
export async function videoFormatsOf(device: string): Promise<string | undefined> {
  const args = ['-hide_banner', '-f', 'v4l2', '-list_formats', 'all', '-i', device]
  const text = await new Promise<string>((resolve) => {
    // ffmpeg lists on its standard error and then ends with a fault, because nothing was to be read.
    execFile('ffmpeg', args, { timeout: limitMs }, (_fault, _out, said) => {
      resolve(said)
    })
  })
  return formatsIn(text)
}

/** Reads ffmpeg's list: `[video4linux2 ...] Compressed: mjpeg : Motion-JPEG : 640x480 1280x720`. */
export function formatsIn(text: string): string | undefined {
  const formats = text.split('\n').flatMap((line) => {
    const [, name, sizes] = /\b(?:Raw|Compressed)\s*:\s*(\S+)\s*:.*\s:\s+(.*)$/.exec(line) ?? []
    return name === undefined || sizes === undefined ? [] : [`${name} ${sizes.trim()}`.trim()]
  })
  return formats.length === 0 ? undefined : formats.join('; ')
}
