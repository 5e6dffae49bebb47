/**
 * `yolo-edge rollout`: brings a version to a channel in steps, and shows how far it is.
 * Invariant: every change is a wish signed anew; a change to a wish of somebody else's key is refused; what devices do not
 * take is told.
 */

import { Command } from 'commander'
import { systemClock } from '../../base/clock.js'
import { AgentError, messageOf } from '../../base/errors.js'
import type { Desired, DesiredTarget, Rollout, RolloutPlan } from '../../protocol/desired.js'
import type { SigningKey } from '../../protocol/keys.js'
import { phaseOf, termsOf } from '../../protocol/rollout-phase.js'
import { wishRefusals } from '../../dashboard/fleet/device-record.js'
import {
  type BrokerOptions,
  type FleetConnection,
  withBrokerOptions,
  withFleet,
} from '../fleet/fleet-connection.js'
import { requirePublished } from '../fleet/manifest-on-broker.js'
import { healthOf, planText, tooManyFailures } from '../fleet/rollout-health.js'
import { carryOut, type Moved } from '../fleet/rollout-plan.js'
import {
  readFleet,
  refusalResult,
  rolloutLines,
  rolloutResult,
  termsResult,
  versionsIn,
} from '../fleet/rollout-status.js'
import { aborted, paused, resumed, widened } from '../fleet/rollout-terms.js'
import { readSigningKey } from '../fleet/signing-key.js'
import { noteRefusals, refusalFields, tellTarget, type Told } from '../fleet/tell-target.js'
import { ownWish, wishFor, withRollout } from '../fleet/wish.js'
import { withRules } from '../option-rules.js'
import { integerOption, numberOption, shareOption, spanOption, stepsOption } from '../options.js'
import { type Output, processOutput } from '../output.js'

interface Options extends BrokerOptions {
  readonly channel: string
  readonly json?: boolean
}

interface SignedOptions extends Options {
  readonly sign: string
}

interface StartOptions extends SignedOptions {
  readonly percent?: number
  readonly steps?: readonly number[]
  readonly every?: number
  readonly haltOnFailures?: number
  readonly minDevices?: number
  readonly expires?: number
  readonly salt?: string
  readonly notBefore?: string
  readonly allowDowngrade?: boolean
}

interface GoOnOptions extends SignedOptions {
  readonly haltOnFailures?: number
}

interface StatusOptions extends Options {
  readonly sign?: string
}

interface ServeOptions extends BrokerOptions {
  readonly sign: string
  readonly period: number
  readonly json?: boolean
}

interface AbortOptions extends SignedOptions {
  readonly backTo?: string
}

export function rolloutCommand(): Command {
  return new Command('rollout')
    .description(
      'Bring a published version to a channel in steps: start, widen, pause, resume, abort, status, serve.',
    )
    .addCommand(startCommand())
    .addCommand(widenCommand())
    .addCommand(changeCommand('pause', 'Nobody begins any more; who has not switched yet gives up.', paused))
    .addCommand(resumeCommand())
    .addCommand(abortCommand())
    .addCommand(statusCommand())
    .addCommand(serveCommand())
    .addHelpText(
      'after',
      `
A wide rollout in three steps:
  yolo-edge publish MODEL.onnx --name parts --model-version 2.0.0 --no-wish --sign fleet.key --broker URL
  yolo-edge rollout start parts 2.0.0 --percent 5 --sign fleet.key --broker URL
  yolo-edge rollout status --broker URL
  yolo-edge rollout widen --percent 100 --sign fleet.key --broker URL

One that goes on by itself, and stops by itself:
  yolo-edge rollout start parts 2.0.0 --steps 5,25,100 --every 1h --halt-on-failures 5% --min-devices 3 ...
  yolo-edge rollout serve --sign fleet.key --broker URL`,
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
  const command = signedSubcommand(
    'start',
    'Tell a share of a channel to run a version that is on the broker.',
  )
    .argument('<model>', 'name of the model')
    .argument('<version>', 'its version')
    .option('--percent <share>', 'share of the devices (default: 100)', numberOption('percent', 0, 100))
    .option(
      '--steps <shares>',
      'shares that follow each other by themselves, such as 5,25,100',
      stepsOption('steps'),
    )
    .option('--every <time>', 'how long a step lasts at least (default: 1h)', spanOption('every'))
    .option(
      '--halt-on-failures <share>',
      'pause by itself when more than this share of the devices fail (default with --steps: 5%)',
      shareOption('halt-on-failures'),
    )
    .option(
      '--min-devices <count>',
      'devices that must have come to an end before anything is concluded from them (default: 1)',
      integerOption('min-devices', 1, 1_000_000),
    )
    .option(
      '--expires <time>',
      'a device that has not heard of it by then does not take it',
      spanOption('expires'),
    )
    .option('--salt <text>', 'chooses which devices come first (default: the version)')
    .option('--not-before <time>', 'nobody begins before it, such as 2026-01-31T02:00:00Z')
    .option('--allow-downgrade', 'let devices go back to a version with a lower sequence')
  return withRules(command, {
    '--steps': { excludes: ['--percent'] },
    '--every': { needs: ['--steps'] },
    '--min-devices': { needs: ['--halt-on-failures', '--steps'] },
  }).action(start)
}

function widenCommand(): Command {
  return signedSubcommand('widen', 'More devices; those that began go on.')
    .requiredOption('--percent <share>', 'share of the devices', numberOption('percent', 0, 100))
    .option(...haltOption)
    .action((options: GoOnOptions & { readonly percent: number }) =>
      goOn(options, (wish) => widened(wish, options.percent)),
    )
}

function resumeCommand(): Command {
  return signedSubcommand('resume', 'Go on after a pause, or at once instead of later.')
    .option(...haltOption)
    .action((options: GoOnOptions) => goOn(options, resumed))
}

const haltOption = [
  '--halt-on-failures <share>',
  'the share of failing devices that stops it from now on, in place of the one of its start',
  shareOption('halt-on-failures'),
] as const

function changeCommand(name: string, description: string, terms: (wish: Desired) => Rollout): Command {
  return signedSubcommand(name, description).action((options: SignedOptions) => change(options, terms))
}

function abortCommand(): Command {
  return signedSubcommand('abort', 'Stop for good; who has not switched yet gives up.')
    .option('--back-to <version>', 'bring everybody who has the version to this one')
    .action(abort)
}

function statusCommand(): Command {
  return subcommand('status', 'How far each version is, and which devices refused it.')
    .option('--sign <key>', 'carry out first what the plans of rollouts ask for, as rollout serve does')
    .action(status)
}

function serveCommand(): Command {
  const command = new Command('serve')
    .description('Carry out the plans of all rollouts that the key signed, until it is interrupted.')
    .requiredOption('--sign <key>', 'private key that signs (made by yolo-edge keygen)')
    .option('--period <time>', 'how often the fleet is looked at', spanOption('period'), 30_000)
    .option('--json', 'print a line of JSON for each step')
  return withBrokerOptions(command).action(serve)
}

async function start(model: string, version: string, options: StartOptions): Promise<void> {
  const { salt = version, notBefore, allowDowngrade = false, expires } = options
  if (notBefore !== undefined && Number.isNaN(Date.parse(notBefore))) {
    const problem = `--not-before ${notBefore}: expected a time such as 2026-01-31T02:00:00Z`
    throw new AgentError('cli.argument_invalid', problem)
  }
  const plan = planOf(options)
  const percent = options.percent ?? plan?.steps[0] ?? 100
  const key = await readSigningKey(options.sign)
  const rollout: Rollout = {
    percent,
    salt,
    ...(notBefore !== undefined && { notBefore: new Date(notBefore).toISOString() }),
    ...(plan !== undefined && { plan }),
  }
  const terms = { allowDowngrade, rollout, ...(expires !== undefined && { holdsForMs: expires }) }
  await withFleet(options, async (fleet) => {
    await requirePublished(fleet, { model, version })
    const wish = wishFor({ model, version }, targetOf(options), systemClock.wallMs(), terms)
    await tell(fleet, wish, key, options)
  })
}

/** The plan that the options ask for; undefined for a rollout that goes on by hand alone. */
function planOf(options: StartOptions): RolloutPlan | undefined {
  const { percent, steps, every, haltOnFailures, minDevices = 1 } = options
  if (steps === undefined && haltOnFailures === undefined) return undefined
  return {
    steps: steps ?? [percent ?? 100],
    everyMs: every ?? 3_600_000,
    failureShareMax: haltOnFailures ?? 0.05,
    devicesMin: minDevices,
  }
}

async function change(options: SignedOptions, terms: (wish: Desired) => Rollout): Promise<void> {
  const key = await readSigningKey(options.sign)
  await withFleet(options, async (fleet) => {
    const before = await ownWish(fleet, targetOf(options), key)
    await tell(fleet, withRollout(before, terms(before), systemClock.wallMs()), key, options)
  })
}

/** Widens or resumes, unless the plan of the rollout would stop it again at once. */
async function goOn(options: GoOnOptions, terms: (wish: Desired) => Rollout): Promise<void> {
  const key = await readSigningKey(options.sign)
  await withFleet(options, async (fleet) => {
    const before = await ownWish(fleet, targetOf(options), key)
    const after = withRollout(before, withLimit(terms(before), options), systemClock.wallMs())
    const { plan } = termsOf(after)
    const reason =
      plan === undefined ? undefined : tooManyFailures(plan, healthOf((await readFleet(fleet)).store, after))
    if (reason !== undefined) {
      throw new AgentError('cli.argument_invalid', `the rollout would stop again at once: ${reason}`, {
        hint: '--halt-on-failures gives another limit; yolo-edge rollout abort --back-to brings devices back',
      })
    }
    await tell(fleet, after, key, options)
  })
}

/** `terms` with the limit of failures that the options name. Throws `cli.argument_invalid` where there is no plan. */
function withLimit(terms: Rollout, { haltOnFailures }: GoOnOptions): Rollout {
  if (haltOnFailures === undefined) return terms
  if (terms.plan !== undefined) return { ...terms, plan: { ...terms.plan, failureShareMax: haltOnFailures } }
  const plan = { steps: [terms.percent], everyMs: 0, failureShareMax: haltOnFailures, devicesMin: 1 }
  return { ...terms, plan }
}

async function abort(options: AbortOptions): Promise<void> {
  const { backTo } = options
  if (backTo === undefined) return change(options, aborted)
  const key = await readSigningKey(options.sign)
  await withFleet(options, async (fleet) => {
    const { model } = await ownWish(fleet, targetOf(options), key)
    const back = wishFor({ model, version: backTo }, targetOf(options), systemClock.wallMs(), {
      allowDowngrade: true,
    })
    await requirePublished(fleet, back)
    await tell(fleet, back, key, options)
  })
}

async function status(options: StatusOptions): Promise<void> {
  const output = processOutput(options.json ?? false)
  const key = options.sign === undefined ? undefined : await readSigningKey(options.sign)
  const known = await withFleet(options, async (fleet) => {
    const moved = key === undefined ? [] : await carryOut(fleet, key)
    for (const each of moved) output.note(movedLine(each))
    return readFleet(fleet)
  })
  const nowMs = systemClock.wallMs()
  const rollouts = versionsIn(known.store)
  const refusals = wishRefusals(known.store.devices.values())
  output.result({
    versions: rollouts.map((rollout) => rolloutResult(rollout, nowMs)),
    refused_wishes: refusals.map(refusalResult),
    gaps: known.gaps,
  })
  for (const line of rolloutLines(known, rollouts, nowMs)) output.line(line)
}

async function serve(options: ServeOptions): Promise<void> {
  const output = processOutput(options.json ?? false)
  const key = await readSigningKey(options.sign)
  const ended = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      ended.abort()
    })
  await withFleet(options, async (fleet) => {
    output.note(`carrying out the plans of rollouts, every ${options.period / 1000} s`)
    while (!ended.signal.aborted) {
      await serveOnce(fleet, key, output)
      await systemClock.sleep(options.period, ended.signal)
    }
  })
}

/** One look at the fleet. A broker that is away is no end: the plans lie on it. */
async function serveOnce(fleet: FleetConnection, key: SigningKey, output: Output): Promise<void> {
  try {
    for (const moved of await carryOut(fleet, key)) {
      output.event(movedResult(moved))
      output.line(`${moved.wish.createdAt}  ${movedLine(moved)}`)
      noteRefusals(output, moved.told)
    }
  } catch (thrown) {
    output.note(`the fleet could not be looked at, and will be again: ${messageOf(thrown)}`)
  }
}

function movedLine({ wish, move }: Moved): string {
  const what = `${wish.target.kind} ${wish.target.name}: ${wish.model} ${wish.version}`
  return move.kind === 'halt'
    ? `${what} is halted: ${move.reason}`
    : `${what} is ${termsOf(wish).percent} % wide`
}

function movedResult({ wish, move, told }: Moved): object {
  return { ...wishResult(wish), move: move.kind, ...refusalFields(told) }
}

function targetOf({ channel }: Options): DesiredTarget {
  return { kind: 'channel', name: channel }
}

/** Sends a wish, and says what it is and who did not take it. */
async function tell(
  fleet: FleetConnection,
  wish: Desired,
  key: SigningKey,
  { json = false }: Options,
): Promise<void> {
  const output = processOutput(json)
  const told = await tellTarget(fleet, wish.target, [key], (sequence) => ({
    kind: 'wish',
    wish: { ...wish, sequence },
  }))
  sayTold(output, told)
}

function sayTold(output: Output, told: Told): void {
  if (told.telling.kind !== 'wish') return
  const { wish } = told.telling
  const { percent, notBefore, plan } = termsOf(wish)
  const phase = phaseOf(wish, systemClock.wallMs())
  output.result({ ...wishResult(wish), ...refusalFields(told) })
  const share = phase === 'aborted' ? '' : `, ${percent} % of the devices`
  const from = phase === 'waiting' ? `, from ${notBefore ?? ''}` : ''
  const { target, model, version } = wish
  output.line(`${target.kind} ${target.name}: ${model} ${version} is ${phase}${share}${from}`)
  if (plan !== undefined && phase !== 'aborted') output.line(`  ${planText(wish)}`)
  noteRefusals(output, told)
}

function wishResult(wish: Desired): object {
  const { target, model, version, sequence, expiresAt } = wish
  return {
    ...{ target, model, version, sequence },
    phase: phaseOf(wish, systemClock.wallMs()),
    ...(expiresAt !== undefined && { expires_at: expiresAt }),
    rollout: termsResult(wish),
  }
}
