/** What `info` says: hardware, software, and the execution providers that were proven. */

import type { Config } from '../../config/config.js'
import type { HardwareProfile } from '../../hardware/hardware-profile.js'
import type { DeviceInfo, ProviderInfo } from '../../protocol/info.js'

export interface InfoFacts {
  readonly hardware: HardwareProfile
  readonly config: Config
  readonly agentVersion: string
  readonly startedAtMs: number
  readonly nowMs: number
  readonly providers: readonly ProviderInfo[]
  /** Ids of the keys that are trusted. */
  readonly trustedKeys: readonly string[]
}

export function deviceInfoOf(facts: InfoFacts): DeviceInfo {
  const { hardware, config } = facts
  const { board, cpu, accelerators, condition } = hardware
  return {
    at: new Date(facts.nowMs).toISOString(),
    startedAt: new Date(facts.startedAtMs).toISOString(),
    channel: config.device.channel,
    agentVersion: facts.agentVersion,
    nodeVersion: process.versions.node,
    os: hardware.os,
    board: board.name,
    ...(board.chip !== undefined && { chip: board.chip }),
    arch: hardware.arch,
    cpuModel: cpu.model,
    cpuCores: cpu.cores,
    cpuFeatures: cpu.features,
    memoryBytes: condition.memoryTotalBytes,
    ...(condition.powerMode !== undefined && { powerMode: condition.powerMode }),
    ...(board.platformRelease !== undefined && { platformRelease: board.platformRelease }),
    accelerators: accelerators.map(({ kind, name }) => ({ kind, name })),
    providers: facts.providers,
    cameras: config.cameras.map(({ name }) => name),
    trustedKeys: facts.trustedKeys.slice(0, 256),
  }
}
