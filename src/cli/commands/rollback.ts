/**
 * `yolo-edge rollback DEVICE`: one device goes back to the version before.
 * Invariant: the device gets a signed wish of its own, which wins over its channel's until it is released.
 */

import { Command } from 'commander'
import { systemClock } from '../../base/clock.js'
import { AgentError } from '../../base/errors.js'
import type { DesiredTarget } from '../../protocol/desired.js'
import { parseReported } from '../../protocol/reported.js'
import { publishRetained } from '../../transport/publish-bundle.js'
import {
  type BrokerOptions,
  type FleetConnection,
  withBrokerOptions,
  withFleet,
} from '../fleet/fleet-connection.js'
import { requirePublished } from '../fleet/manifest-on-broker.js'
import { readRetained } from '../fleet/retained.js'
import { readSigningKey } from '../fleet/signing-key.js'
import { desiredTopic, type ModelVersion, sendWish, wishFor } from '../fleet/wish.js'
import { processOutput } from '../output.js'

interface Options extends BrokerOptions {
  readonly sign?: string
  readonly to?: string
  readonly release?: boolean
  readonly json?: boolean
}

export function rollbackCommand(): Command {
  const command = new Command('rollback')
    .description('Bring a device back to the version before, and keep it there until it is released.')
    .argument('<device>', 'name of the device')
    .option('--sign <key>', 'private key that signs (made by yolo-edge keygen)')
    .option('--to <version>', 'version to go back to (default: the previous one that the device keeps)')
    .option('--release', 'let the device follow its channel again instead')
    .option('--json', 'print JSON')
  return withBrokerOptions(command).action(rollback)
}

async function rollback(device: string, options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const target: DesiredTarget = { kind: 'device', name: device }
  if (options.release === true) {
    await withFleet(options, ({ connection, topics }) =>
      publishRetained(connection, desiredTopic(topics, target), new Uint8Array()),
    )
    output.result({ device, released: true })
    output.line(`${device} follows its channel again`)
    return
  }
  if (options.sign === undefined)
    throw new AgentError('cli.argument_invalid', 'rollback without --sign: expected --sign KEY, or --release')
  const key = await readSigningKey(options.sign)
  const { from, to } = await withFleet(options, async (fleet) => {
    const versions = await versionsOf(fleet, device, options.to)
    await requirePublished(fleet, versions.to)
    const wish = wishFor(versions.to, target, systemClock.wallMs(), { allowDowngrade: true })
    await sendWish(fleet, wish, [key])
    return versions
  })
  output.result({ device, model: to.model, from: from.version, to: to.version })
  output.line(`${device} is told to go back from ${from.model} ${from.version} to ${to.model} ${to.version}`)
  output.line(`yolo-edge rollback ${device} --release lets it follow its channel again`)
}

interface Versions {
  readonly from: ModelVersion
  readonly to: ModelVersion
}

async function versionsOf(
  { connection, topics }: FleetConnection,
  device: string,
  version: string | undefined,
): Promise<Versions> {
  const topic = topics.deviceState(device, 'reported')
  const options = { quietMs: 3000, isComplete: ({ size }: ReadonlyMap<string, Uint8Array>) => size > 0 }
  const bytes = (await readRetained(connection, [topic], options)).get(topic)
  if (bytes === undefined)
    throw new AgentError('network.request_timeout', `device ${device} has said nothing to this broker`)
  const { active, previous } = parseReported(bytes)
  if (active === undefined) throw new AgentError('cli.argument_invalid', `${device} serves no model yet`)
  if (version !== undefined) return { from: active, to: { model: active.model, version } }
  if (previous !== undefined) return { from: active, to: previous }
  throw new AgentError('cli.argument_invalid', `${device} keeps no version before ${active.version}`, {
    hint: 'name one with --to',
  })
}
