/**
 * Snapshots of a USB camera through node-webcam, which runs fswebcam.
 * For cameras that cannot stream, or pictures that are wanted seldom; each snapshot opens the camera anew.
 * Invariant: a snapshot ends within its time limit, and its file is gone afterwards.
 */

import { access, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nodeWebcam from 'node-webcam'
import { AgentError, messageOf } from '../base/errors.js'
import { letterbox } from '../yolo/letterbox.js'
import { fillLetterboxed } from '../yolo/resize.js'
import type { FrameSource } from './frame-source.js'
import { Pace } from './pace.js'
import { readRgb } from './read-image.js'
import type { SourceContext } from './source-context.js'
import { testDevice } from './source-uri.js'
import { toolMissing } from './tool-process.js'

const defaults = { width: 1280, height: 720, fps: 1 } as const
const snapshotLimitS = 10
/** What `timeout` and the shell end with. */
const exitCodes = { timedOut: 124, killed: 137, notFound: 127 } as const

type Snapshot = (path: string) => Promise<void>

/** The exit code in the error that node-webcam passes on from child_process.exec. */
function exitCodeOf(thrown: Error): number | undefined {
  return 'code' in thrown && typeof thrown.code === 'number' ? thrown.code : undefined
}

/** `text` as one word of a shell's command line: node-webcam puts its options together and runs a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/**
 * node-webcam with a promise and a time limit. `device` holds no colon: fswebcam takes what stands before one for the name of a
 * driver. `shown` is what the camera is called.
 */
function snapshotOf(
  device: string,
  shown: string,
  size: { readonly width: number; readonly height: number },
): Snapshot {
  const camera = nodeWebcam.create({
    platform: 'fswebcam',
    device: quoted(device),
    ...size,
    quality: 95,
    output: 'jpeg',
    saveShots: false,
    callbackReturn: 'location',
  })
  // node-webcam lets go of its child: the limit has to be part of the command.
  const command = camera.generateSh.bind(camera)
  camera.generateSh = (path: string) => `timeout --kill-after=2 ${snapshotLimitS} ${command(quoted(path))}`
  const failed = (thrown: Error): AgentError => {
    const code = exitCodeOf(thrown)
    if (code === exitCodes.notFound) return toolMissing('fswebcam', thrown)
    const isLate = code === exitCodes.timedOut || code === exitCodes.killed
    const reason = isLate ? `no picture within ${snapshotLimitS} s` : messageOf(thrown)
    return new AgentError('camera.open_failed', `cannot take a picture with ${shown}: ${reason}`, {
      cause: thrown,
    })
  }
  return (path) =>
    new Promise((resolve, reject) => {
      camera.capture(path, (thrown) => {
        if (thrown === null) resolve()
        else reject(failed(thrown))
      })
    })
}

/** A link to `device` in `folder`: names of devices that survive a reboot may hold colons. */
async function linkTo(device: string, folder: string): Promise<string> {
  const link = join(folder, 'camera')
  await symlink(device, link)
  return link
}

/** Builds the source. */
export function webcamSource(context: SourceContext): Promise<FrameSource> {
  const { address, clock } = context
  const { target } = address
  return Promise.resolve({
    label: address.label,
    isEndless: true,
    run: async (ring, signal) => {
      const folder = await mkdtemp(join(tmpdir(), 'yolo-edge-'))
      const path = join(folder, 'snapshot.jpg')
      const device = target === testDevice ? target : await linkTo(target, folder)
      const snapshot = snapshotOf(device, target, address.options.size ?? defaults)
      const pace = new Pace(context.fpsMax ?? defaults.fps, clock)
      try {
        for (;;) {
          await pace.wait(signal)
          if (signal.aborted) return
          await rm(path, { force: true })
          const takenAtMs = clock.wallMs()
          await snapshot(path)
          // fswebcam ends with 0 also when it found no camera.
          await access(path).catch(() => {
            throw new AgentError(
              'camera.open_failed',
              `cannot take a picture with ${target}: no camera answers`,
            )
          })
          const picture = await readRgb(path)
          const box = letterbox(picture, { width: ring.inputWidth, height: ring.inputHeight })
          const slot = await ring.begin(box, signal)
          if (slot === undefined) return
          fillLetterboxed(picture, slot.pixels, box)
          ring.commit(slot, takenAtMs)
        }
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
  })
}
