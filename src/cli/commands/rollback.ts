/**
 * `yolo-edge rollback DEVICE`: one device goes back to the version before.
 * Invariant: the device gets a signed wish of its own, which wins over its channel's until a signed release; what was released
 * cannot be sent again by anybody without the key.
 */

import { Command } from 'commander'
import { systemClock } from '../../base/clock.js'
import { AgentError } from '../../base/errors.js'
import type { DesiredTarget } from '../../protocol/desired.js'
import { parseReported } from '../../protocol/reported.js'
import {
  brokerFlags,
  type BrokerOptions,
  type FleetConnection,
  withBrokerOptions,
  withFleet,
} from '../fleet/fleet-connection.js'
import { requirePublished } from '../fleet/manifest-on-broker.js'
import { readTopic } from '../fleet/retained.js'
import { readSigningKey } from '../fleet/signing-key.js'
import { noteRefusals, refusalFields, tellTarget, type Told } from '../fleet/tell-target.js'
import { type ModelVersion, wishFor } from '../fleet/wish.js'
import { withRules } from '../option-rules.js'
import { spanOption } from '../options.js'
import { type Output, processOutput } from '../output.js'

interface Options extends BrokerOptions {
  readonly sign: string
  readonly to?: string
  readonly expires: number | undefined
  readonly release?: boolean
  readonly json?: boolean
}

export function rollbackCommand(): Command {
  const command = new Command('rollback')
    .description('Bring a device back to the version before, and keep it there until it is released.')
    .argument('<device>', 'name of the device')
    .requiredOption('--sign <key>', 'private key that signs (made by yolo-edge keygen)')
    .option('--to <version>', 'version to go back to (default: the previous one that the device keeps)')
    .option(
      '--expires <time>',
      'a device that has not heard of it by then does not take it; off: it always does (default: 30d)',
      spanOption('expires', true),
      30 * 86_400_000,
    )
    .option('--release', 'let the device follow its channel again instead')
    .option('--json', 'print JSON')
  return withRules(withBrokerOptions(command), {
    '--release': { only: ['--sign', ...brokerFlags, '--json', '<device>'] },
  }).action(rollback)
}

async function rollback(device: string, options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const target: DesiredTarget = { kind: 'device', name: device }
  const key = await readSigningKey(options.sign)
  if (options.release === true) {
    const told = await withFleet(options, (fleet) =>
      tellTarget(fleet, target, [key], (sequence) => {
        const createdAt = new Date(systemClock.wallMs()).toISOString()
        return { kind: 'release', release: { target, sequence, createdAt } }
      }),
    )
    output.result({ device, released: true, ...refusalFields(told) })
    output.line(`${device} is told to follow its channel again`)
    noteRefusals(output, told)
    return
  }
  const { expires } = options
  const { versions, told } = await withFleet(options, async (fleet) => {
    const found = await versionsOf(fleet, device, options.to)
    await requirePublished(fleet, found.to)
    const terms = { allowDowngrade: true, ...(expires !== undefined && { holdsForMs: expires }) }
    const wish = wishFor(found.to, target, systemClock.wallMs(), terms)
    const heard = await tellTarget(fleet, target, [key], (sequence) => ({
      kind: 'wish',
      wish: { ...wish, sequence },
    }))
    return { versions: found, told: heard }
  })
  const { from, to } = versions
  output.result({
    ...{ device, model: to.model, from: from.version, to: to.version },
    taken: told.isTaken ?? false,
    ...refusalFields(told),
  })
  output.line(`${device} is told to go back from ${from.model} ${from.version} to ${to.model} ${to.version}`)
  output.line(`yolo-edge rollback ${device} --release --sign KEY lets it follow its channel again`)
  sayAnswer(output, device, told)
}

function sayAnswer(output: Output, device: string, told: Told): void {
  noteRefusals(output, told)
  if (told.refusals.length === 0 && told.isTaken !== true)
    output.note(`${device} has not answered; it goes back as soon as it hears of it`)
}

interface Versions {
  readonly from: ModelVersion
  readonly to: ModelVersion
}

async function versionsOf(
  fleet: FleetConnection,
  device: string,
  version: string | undefined,
): Promise<Versions> {
  const bytes = await readTopic(fleet, fleet.topics.deviceState(device, 'reported'))
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
