/** What a recorded board would say of itself on the broker. */

import { deviceInfoOf } from '../../src/agent/reporting/device-info.js'
import { loadConfig } from '../../src/config/load.js'
import { detectHardware } from '../../src/hardware/detect-hardware.js'
import type { DeviceInfo } from '../../src/protocol/info.js'
import { layOutBoard } from './boards.js'

/** The info of `board`, whose files are laid out below `folder`, as a device `name` that follows `channel`. */
export async function boardInfo(
  board: string,
  folder: string,
  name: string,
  channel = 'stable',
): Promise<DeviceInfo> {
  const overrides = new Map([
    ['device.id', name],
    ['device.channel', channel],
  ])
  return deviceInfoOf({
    hardware: await detectHardware({ root: layOutBoard(board, folder) }),
    config: loadConfig({ file: undefined, env: {}, overrides }),
    agentVersion: '0.1.0',
    startedAtMs: 0,
    nowMs: 0,
    providers: [{ name: 'cpu', works: true }],
    trustedKeys: [],
  })
}
