/**
 * Starts the service of this device once its settings are written.
 * Invariant: where systemd does not run, or this user may not start the service, nothing is tried and the command is said.
 */

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { messageOf } from '../../base/errors.js'

const unit = 'yolo-edge.service'
/** The file that the unit of the package reads. */
export const serviceSettings = '/etc/yolo-edge/device.yaml'

export type ServiceStart =
  | { readonly state: 'started' }
  /** `command` is what a person types. */
  | { readonly state: 'left'; readonly command: string }
  | { readonly state: 'failed'; readonly reason: string }

/** Enables and restarts the service for the settings in `file`; `isWanted`: whether it shall be started at all. */
export async function startService(file: string, isWanted: boolean): Promise<ServiceStart> {
  const hasSystemd = existsSync('/run/systemd/system')
  if (file !== serviceSettings || !hasSystemd)
    return { state: 'left', command: `yolo-edge run --config ${file}` }
  const restart = `systemctl enable ${unit} && systemctl restart ${unit}`
  if (!isWanted) return { state: 'left', command: restart }
  if (process.getuid?.() !== 0) return { state: 'left', command: `sudo sh -c '${restart}'` }
  try {
    for (const verb of ['enable', 'restart']) await promisify(execFile)('systemctl', [verb, unit])
    return { state: 'started' }
  } catch (thrown) {
    return { state: 'failed', reason: messageOf(thrown) }
  }
}
