/**
 * What is wrong with a list of cameras before any of them is opened.
 * Invariant: looking opens no device; what a problem says holds no password.
 */

import { realpathSync } from 'node:fs'
import { messageOf } from '../../base/errors.js'
import { parseSourceUri, type SourceAddress } from '../../camera/source-uri.js'
import type { CameraConfig } from '../../config/config.js'

/** What only one program can read at a time: the device that the address leads to; undefined for files and streams. */
function deviceOf({ scheme, target }: SourceAddress): string | undefined {
  if (scheme === 'csi' || scheme === 'libcamera') return `${scheme}://${target}`
  if (scheme !== 'v4l2' && scheme !== 'webcam') return undefined
  try {
    // Names that survive a reboot are links to /dev/videoN.
    return realpathSync(target)
  } catch {
    return target
  }
}

export interface CameraProblem {
  /** Whom it concerns. */
  readonly cameras: readonly string[]
  /** One line. */
  readonly detail: string
}

/** An address that is not understood, and two cameras on one device. */
export function cameraProblems(cameras: readonly CameraConfig[]): readonly CameraProblem[] {
  const takenBy = new Map<string, string>()
  return cameras.flatMap(({ name, source, loop }) => {
    let device: string | undefined
    try {
      device = deviceOf(parseSourceUri(source, loop))
    } catch (thrown) {
      return [{ cameras: [name], detail: `camera ${name}: ${messageOf(thrown)}` }]
    }
    const other = device === undefined ? undefined : takenBy.get(device)
    if (device !== undefined) takenBy.set(device, name)
    if (other === undefined) return []
    return [
      {
        cameras: [other, name],
        detail: `cameras ${other} and ${name}: both are ${device}, which gives its pictures to one program at a time`,
      },
    ]
  })
}
