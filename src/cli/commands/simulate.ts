/**
 * `yolo-edge simulate`: many devices without cameras, to rehearse rollouts and to size brokers.
 * Invariant: they download and check for real; nothing that they say can be taken for a measurement.
 */

import { Command } from 'commander'
import { connectionOptionsOf } from '../../agent/broker-connection.js'
import { trustPolicyOf } from '../../agent/trusted-keys.js'
import { systemClock } from '../../base/clock.js'
import { AgentError } from '../../base/errors.js'
import { loadConfig } from '../../config/load.js'
import { requireName } from '../../protocol/names.js'
import { topicsBelow } from '../../protocol/topics.js'
import { type BrokerOptions, settingsOf, withBrokerOptions } from '../fleet/fleet-connection.js'
import { integerOption, numberOption } from '../options.js'
import { processOutput } from '../output.js'
import { type FleetFigures, SimulatedFleet } from '../simulate/simulated-fleet.js'

interface Options extends BrokerOptions {
  readonly devices: number
  readonly channel: string
  readonly prefix: string
  readonly first: number
  readonly variant?: string
  readonly fail: number
  readonly trial: number
  readonly soak: number
  readonly metrics: number
  readonly window: number
  readonly spread: number
  readonly until?: string
  readonly duration?: number
  readonly json?: boolean
}

const startLimitMs = 120_000
const tellPeriodMs = 5_000
const pollMs = 200

export function simulateCommand(): Command {
  const command = new Command('simulate')
    .description('Many devices without cameras: rehearse a rollout, or see what a broker can carry.')
    .option('--devices <count>', 'how many', integerOption('devices', 1, 100_000), 10)
    .option('--channel <name>', 'the channel that they follow', 'stable')
    .option('--prefix <name>', 'their names are PREFIX-00001 and so on', 'sim')
    .option('--first <number>', 'number of the first', integerOption('first', 1, 10_000_000), 1)
    .option('--variant <id>', 'the variant that each takes (default: the smallest file)')
    .option('--fail <percent>', 'share of the deployments that are refused', numberOption('fail', 0, 100), 0)
    .option('--trial <seconds>', 'how long a trial takes', numberOption('trial', 0, 86_400), 1)
    .option('--soak <seconds>', 'how long a soak takes', numberOption('soak', 0, 86_400), 1)
    .option(
      '--metrics <seconds>',
      'between samples of metrics; 0 for none',
      numberOption('metrics', 0, 3600),
      10,
    )
    .option('--window <chunks>', 'chunks asked for at once', integerOption('window', 1, 256), 32)
    .option(
      '--spread <seconds>',
      'follow a wish after a random part of this',
      numberOption('spread', 0, 86_400),
      0,
    )
    .option('--until <version>', 'end when every device has ended a deployment of this version')
    .option('--duration <seconds>', 'end after this time', numberOption('duration', 1, 10_000_000))
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
A rehearsal on this machine, with any broker:
  yolo-edge simulate --devices 200 --fail 3 --broker mqtt://127.0.0.1:1883 --set security.trusted_keys=keys
  yolo-edge rollout start parts 2.0.0 --percent 5 --sign fleet.key --broker mqtt://127.0.0.1:1883
Public keys are those of security.trusted_keys. Where device accounts are checked by name, each device needs its own: use a broker without accounts.`,
    )
  return withBrokerOptions(command).action(simulate)
}

async function simulate(options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  requireName('device', `${options.prefix}-00001`)
  requireName('channel', options.channel)
  const config = loadConfig(settingsOf(options))
  const topics = topicsBelow(config.broker.topicRoot)
  const trust = await trustPolicyOf(config.security.trustedKeys, config.security.allowUnsigned)
  const fleet = new SimulatedFleet(
    options.devices,
    {
      topics,
      clock: systemClock,
      connection: await connectionOptionsOf(config.broker, options.prefix),
      prefix: options.prefix,
      firstNumber: options.first,
    },
    {
      channel: options.channel,
      trust,
      ...(options.variant !== undefined && { variant: options.variant }),
      failShare: options.fail / 100,
      trialMs: options.trial * 1000,
      soakMs: options.soak * 1000,
      metricsPeriodMs: options.metrics * 1000,
      windowChunks: options.window,
      spreadMs: options.spread * 1000,
    },
  )
  const stopping = new AbortController()
  const stop = (): void => {
    stopping.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  const startMs = systemClock.monotonicMs()
  try {
    const online = await fleet.start(startLimitMs, stopping.signal)
    output.note(`${online} of ${options.devices} devices are online and follow channel ${options.channel}`)
    await watch(fleet, options, startMs, stopping.signal, (figures) => {
      output.note(progressLine(figures))
    })
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop)
    const figures = fleet.figures()
    const tookMs = systemClock.monotonicMs() - startMs
    await fleet.stop()
    output.result({ ...snakeCase(figures), seconds: tookMs / 1000 })
    output.line(progressLine(figures))
  }
  const { failed, wrongChunks, errors } = fleet.figures()
  if (failed === 0) return
  const [code = '', count = 0] = Object.entries(errors).sort((a, b) => b[1] - a[1])[0] ?? []
  throw new AgentError(
    'network.request_timeout',
    `${failed} of ${options.devices} simulated devices did not get the model (${count} times ${code}; ${wrongChunks} wrong chunks)`,
  )
}

/** Returns when it is time to end; tells how things stand every few seconds. */
async function watch(
  fleet: SimulatedFleet,
  { until, duration }: Options,
  startMs: number,
  signal: AbortSignal,
  tell: (figures: FleetFigures) => void,
): Promise<void> {
  let toldAtMs = systemClock.monotonicMs()
  while (!signal.aborted) {
    const nowMs = systemClock.monotonicMs()
    if (duration !== undefined && nowMs - startMs >= duration * 1000) return
    if (until !== undefined) {
      const ended = fleet.outcomes.filter(({ version }) => version === until).length
      if (ended >= fleet.devices.length) return
    }
    if (nowMs - toldAtMs >= tellPeriodMs) {
      tell(fleet.figures())
      toldAtMs = nowMs
    }
    await systemClock.sleep(pollMs, signal)
  }
}

function progressLine(figures: FleetFigures): string {
  const { online, committed, refused, failed, fetchedBytes, wrongChunks, reconnects } = figures
  const megabytes = (fetchedBytes / 1e6).toFixed(1)
  return `online ${online}, committed ${committed}, refused ${refused}, failed ${failed}; ${megabytes} MB fetched, ${wrongChunks} wrong chunks, ${reconnects} reconnects`
}

function snakeCase(figures: FleetFigures): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  )
}
