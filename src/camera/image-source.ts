/**
 * A folder of pictures, or a single one, in the order of the names.
 * Invariant: a picture that cannot be read is reported and left out; it never ends the source, unless no picture can be read.
 */

import { stat } from 'node:fs/promises'
import { AgentError, isAgentError } from '../base/errors.js'
import { letterbox } from '../yolo/letterbox.js'
import { fillLetterboxed } from '../yolo/resize.js'
import type { FrameRing } from './frame-ring.js'
import type { FrameSource, SourceReport } from './frame-source.js'
import { listImages } from './image-files.js'
import { Pace } from './pace.js'
import { readRgb } from './read-image.js'
import type { SourceContext } from './source-context.js'

/** Without a rate, pictures for a live consumer come at this one: faster, it would see only the last. */
const liveFps = 1

/** Reads one picture into the ring; false when it could not be read. */
async function putImage(
  path: string,
  ring: FrameRing,
  context: SourceContext,
  signal: AbortSignal,
  report: SourceReport,
): Promise<boolean> {
  try {
    const picture = await readRgb(path)
    const box = letterbox(picture, { width: ring.inputWidth, height: ring.inputHeight })
    const slot = await ring.begin(box, signal)
    if (slot === undefined) return true
    fillLetterboxed(picture, slot.pixels, box)
    ring.commit(slot, context.clock.wallMs())
    return true
  } catch (thrown) {
    if (!isAgentError(thrown, 'image.decode_failed')) throw thrown
    report.unreadable(thrown)
    return false
  }
}

/** Builds the source; rejects with `camera.source_invalid` when the folder has no pictures. */
export async function imageSource(context: SourceContext, path: string): Promise<FrameSource> {
  const isFolder = (await stat(path)).isDirectory()
  const pathsNow = async (): Promise<string[]> => (isFolder ? await listImages(path) : [path])
  await pathsNow()
  const { label, options } = context.address
  const fps = context.fpsMax ?? (context.mode === 'live' ? liveFps : undefined)
  return {
    label,
    isEndless: options.loop === true,
    run: async (ring, signal, report) => {
      const pace = new Pace(fps, context.clock)
      do {
        let readable = 0
        for (const image of await pathsNow()) {
          await pace.wait(signal)
          if (signal.aborted) return
          if (await putImage(image, ring, context, signal, report)) readable++
        }
        if (readable === 0)
          throw new AgentError(
            'camera.source_invalid',
            `no picture of ${label} can be read; expected at least one`,
          )
      } while (options.loop === true)
    },
  }
}
