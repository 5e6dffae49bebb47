/**
 * Which known boards would get no int8 variant of a version, and why.
 * Invariant: only what devices have said of themselves counts; of a device that has said nothing, nothing is said.
 */

import { deviceProfileOfInfo } from '../../agent/trial/device-profile.js'
import type { DesiredTarget } from '../../protocol/desired.js'
import { type DeviceInfo, parseInfo } from '../../protocol/info.js'
import type { Variant } from '../../protocol/manifest.js'
import { parseTopic } from '../../protocol/topics.js'
import { readRetained } from '../../transport/retained-reading.js'
import { eligibleVariants } from '../../update/eligibility.js'
import type { FleetConnection } from './fleet-connection.js'

/** A board that none of the int8 variants suits. */
export interface BoardWithoutInt8 {
  readonly device: string
  /** As the board calls itself. */
  readonly board: string
  /** Why each int8 variant does not suit it. */
  readonly reason: string
}

/** Of the boards that follow the channel `target`, or of the one device, by what the broker holds of them. Throws `network.*`. */
export async function boardsWithoutInt8(
  { connection, topics }: FleetConnection,
  target: DesiredTarget,
  variants: readonly Variant[],
): Promise<readonly BoardWithoutInt8[]> {
  const isOne = target.kind === 'device'
  const topic = isOne ? topics.deviceState(target.name, 'info') : topics.stateOfAll('info')
  const { messages } = await readRetained(connection, [topic], {
    isComplete: ({ size }) => isOne && size > 0,
  })
  return [...messages].flatMap(([from, payload]) => {
    const parsed = parseTopic(topics.root, from)
    const info = infoIn(payload)
    if (parsed?.kind !== 'info' || info === undefined) return []
    if (target.kind === 'channel' && info.channel !== target.name) return []
    const reason = withoutInt8(info, variants)
    return reason === undefined ? [] : [{ device: parsed.device, board: info.board, reason }]
  })
}

/** Why a board that says `info` of itself can run no int8 variant; undefined where it can, or where it runs no ONNX file at all. */
export function withoutInt8(info: DeviceInfo, variants: readonly Variant[]): string | undefined {
  const profile = deviceProfileOfInfo(info)
  if (profile.kinds.length === 0) return undefined
  const int8 = variants.filter(({ precision }) => precision === 'int8')
  if (int8.length === 0) return 'this version has no int8 variant'
  const { variants: fit, discarded } = eligibleVariants(int8, profile, anyPolicy)
  if (fit.length > 0) return undefined
  return discarded.map(({ variant, reason }) => `${variant}: ${reason}`).join('; ')
}

/** Only who is left matters here, not the order. */
const anyPolicy = { policy: 'balanced', latencyTargetMs: 100, mapFloor: 0, hysteresis: 0 } as const

function infoIn(payload: Uint8Array): DeviceInfo | undefined {
  try {
    return parseInfo(payload)
  } catch {
    // A device of another version of this program: nothing is known of it.
    return undefined
  }
}

/** So many boards are named; the others are counted. */
const namedMax = 10

/** The boards for people, one a line. */
export function boardLines(boards: readonly BoardWithoutInt8[]): readonly string[] {
  const lines = boards
    .slice(0, namedMax)
    .map(({ device, board, reason }) => `no int8 variant for ${device} (${board}): ${reason}`)
  return boards.length > namedMax
    ? [...lines, `and for ${boards.length - namedMax} more boards of the channel`]
    : lines
}
