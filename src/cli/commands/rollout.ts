/**
 * `yolo-edge rollout`: brings a version to a channel in steps, and shows how far it is.
 * Invariant: every change is a wish signed anew; a change to a wish of somebody else's key is refused.
 */

import { Command } from 'commander'
import { systemClock } from '../../base/clock.js'
import { AgentError } from '../../base/errors.js'
import type { Desired, DesiredTarget, Rollout } from '../../protocol/desired.js'
import { type BrokerOptions, withBrokerOptions, withFleet } from '../fleet/fleet-connection.js'
import { requirePublished } from '../fleet/manifest-on-broker.js'
import { readRollouts, rolloutLines, rolloutResult } from '../fleet/rollout-status.js'
import { aborted, paused, phaseOf, resumed, termsOf, widened } from '../fleet/rollout-terms.js'
import { readSigningKey } from '../fleet/signing-key.js'
import { ownWish, sendWish, wishFor, withRollout } from '../fleet/wish.js'
import { numberOption } from '../options.js'
import { processOutput } from '../output.js'

interface Options extends BrokerOptions {
  readonly channel: string
  readonly json?: boolean
}

interface SignedOptions extends Options {
  readonly sign: string
}

interface StartOptions extends SignedOptions {
  readonly percent: number
  readonly salt?: string
  readonly notBefore?: string
  readonly allowDowngrade?: boolean
}

interface AbortOptions extends SignedOptions {
  readonly backTo?: string
}

export function rolloutCommand(): Command {
  return new Command('rollout')
    .description(
      'Bring a published version to a channel in steps: start, widen, pause, resume, abort, status.',
    )
    .addCommand(startCommand())
    .addCommand(widenCommand())
    .addCommand(changeCommand('pause', 'Nobody begins any more; who has not switched yet gives up.', paused))
    .addCommand(changeCommand('resume', 'Go on after a pause, or at once instead of later.', resumed))
    .addCommand(abortCommand())
    .addCommand(statusCommand())
    .addHelpText(
      'after',
      `
A wide rollout in three steps:
  yolo-edge publish MODEL.onnx --name parts --model-version 2.0.0 --no-wish --sign fleet.key --broker URL
  yolo-edge rollout start parts 2.0.0 --percent 5 --sign fleet.key --broker URL
  yolo-edge rollout status --broker URL
  yolo-edge rollout widen --percent 100 --sign fleet.key --broker URL`,
    )
}

function subcommand(name: string, description: string): Command {
  const command = new Command(name)
    .description(description)
    .option('--channel <name>', 'the channel', 'stable')
    .option('--json', 'print JSON')
  return withBrokerOptions(command)
}

function signedSubcommand(name: string, description: string): Command {
  return subcommand(name, description).requiredOption(
    '--sign <key>',
    'private key that signs (made by yolo-edge keygen)',
  )
}

function startCommand(): Command {
  return signedSubcommand('start', 'Tell a share of a channel to run a version that is on the broker.')
    .argument('<model>', 'name of the model')
    .argument('<version>', 'its version')
    .option('--percent <share>', 'share of the devices', numberOption('percent', 0, 100), 100)
    .option('--salt <text>', 'chooses which devices come first (default: the version)')
    .option('--not-before <time>', 'nobody begins before it, such as 2026-01-31T02:00:00Z')
    .option('--allow-downgrade', 'let devices go back to a version with a lower sequence')
    .action(start)
}

function widenCommand(): Command {
  return signedSubcommand('widen', 'More devices; those that began go on.')
    .requiredOption('--percent <share>', 'share of the devices', numberOption('percent', 0, 100))
    .action((options: SignedOptions & { readonly percent: number }) =>
      change(options, (wish) => widened(wish, options.percent)),
    )
}

function changeCommand(name: string, description: string, terms: (wish: Desired) => Rollout): Command {
  return signedSubcommand(name, description).action((options: SignedOptions) => change(options, terms))
}

function abortCommand(): Command {
  return signedSubcommand('abort', 'Stop for good; who has not switched yet gives up.')
    .option('--back-to <version>', 'bring everybody who has the version to this one')
    .action(abort)
}

function statusCommand(): Command {
  return subcommand('status', 'How far each version is, and which devices refused it.').action(status)
}

async function start(model: string, version: string, options: StartOptions): Promise<void> {
  const { percent, salt = version, notBefore, allowDowngrade = false } = options
  if (notBefore !== undefined && Number.isNaN(Date.parse(notBefore))) {
    const problem = `--not-before ${notBefore}: expected a time such as 2026-01-31T02:00:00Z`
    throw new AgentError('cli.argument_invalid', problem)
  }
  const key = await readSigningKey(options.sign)
  const rollout: Rollout = {
    percent,
    salt,
    ...(notBefore !== undefined && { notBefore: new Date(notBefore).toISOString() }),
  }
  const wish = wishFor({ model, version }, targetOf(options), systemClock.wallMs(), {
    allowDowngrade,
    rollout,
  })
  await withFleet(options, async (fleet) => {
    await requirePublished(fleet, wish)
    await sendWish(fleet, wish, [key])
  })
  tell(wish, options)
}

async function change(options: SignedOptions, terms: (wish: Desired) => Rollout): Promise<void> {
  const key = await readSigningKey(options.sign)
  const wish = await withFleet(options, async (fleet) => {
    const before = await ownWish(fleet, targetOf(options), key)
    const after = withRollout(before, terms(before), systemClock.wallMs())
    await sendWish(fleet, after, [key])
    return after
  })
  tell(wish, options)
}

async function abort(options: AbortOptions): Promise<void> {
  const { backTo } = options
  if (backTo === undefined) return change(options, aborted)
  const key = await readSigningKey(options.sign)
  const wish = await withFleet(options, async (fleet) => {
    const { model, sequence } = await ownWish(fleet, targetOf(options), key)
    const nowMs = Math.max(systemClock.wallMs(), sequence + 1)
    const back = wishFor({ model, version: backTo }, targetOf(options), nowMs, { allowDowngrade: true })
    await requirePublished(fleet, back)
    await sendWish(fleet, back, [key])
    return back
  })
  tell(wish, options)
}

async function status(options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const rollouts = await withFleet(options, readRollouts)
  const nowMs = systemClock.wallMs()
  output.result({ versions: rollouts.map((rollout) => rolloutResult(rollout, nowMs)) })
  for (const line of rolloutLines(rollouts, nowMs)) output.line(line)
}

function targetOf({ channel }: Options): DesiredTarget {
  return { kind: 'channel', name: channel }
}

function tell(wish: Desired, { json = false }: Options): void {
  const output = processOutput(json)
  const { percent, salt, notBefore } = termsOf(wish)
  const phase = phaseOf(wish, systemClock.wallMs())
  const { target, model, version, sequence } = wish
  output.result({
    target,
    model,
    version,
    sequence,
    phase,
    rollout: { percent, salt, ...(notBefore !== undefined && { not_before: notBefore }) },
  })
  const share = phase === 'aborted' ? '' : `, ${percent} % of the devices`
  const from = phase === 'waiting' ? `, from ${notBefore ?? ''}` : ''
  output.line(`${target.kind} ${target.name}: ${model} ${version} is ${phase}${share}${from}`)
}
