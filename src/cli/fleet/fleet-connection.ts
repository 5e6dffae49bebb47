/**
 * How commands that talk to a fleet reach its broker: the same settings as a device, from file, environment and flags.
 * Invariant: a command that fails to connect says so within its limit, and leaves no connection behind.
 */

import { randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import { silentLogger } from '../../base/logger.js'
import { connectionOptionsOf } from '../../agent/broker-connection.js'
import { loadConfig } from '../../config/load.js'
import { type Topics, topicsBelow } from '../../protocol/topics.js'
import { MqttConnection } from '../../transport/mqtt-connection.js'
import { settingOption } from '../options.js'

/** What {@link withBrokerOptions} adds to the options of a command. */
export interface BrokerOptions {
  readonly broker?: string
  readonly config?: string
  readonly set: ReadonlyMap<string, unknown>
}

export interface FleetConnection {
  readonly connection: MqttConnection
  readonly topics: Topics
}

/** The options that {@link withBrokerOptions} adds. */
export const brokerFlags: readonly string[] = ['--broker', '--config', '--set']

const connectLimitMs = 15_000

/** Adds the options by which a command finds its broker. */
export function withBrokerOptions(command: Command): Command {
  return command
    .option(
      '-b, --broker <url>',
      'address of the broker, or several with commas between them (default: broker.urls or broker.url)',
    )
    .option('-c, --config <file>', 'YAML or JSON file of settings; its broker section is used')
    .option(
      '--set <section.key=value>',
      'one setting, such as broker.username=fleet; may be repeated',
      settingOption,
      new Map<string, unknown>(),
    )
}

/** Where the settings of a command come from: its file, the environment, and its own flags, which win. */
export function settingsOf(options: BrokerOptions): Parameters<typeof loadConfig>[0] {
  const overrides = new Map(options.set)
  if (options.broker !== undefined) {
    const urls = options.broker.split(',').map((url) => url.trim())
    // One address is told apart in messages: it is the value of one setting.
    overrides.set('broker.url', urls[0])
    overrides.set('broker.urls', urls.length > 1 ? urls : [])
  }
  return { file: options.config, env: process.env, overrides }
}

/** Runs `work` online. Throws `network.*` when the broker cannot be reached, `config.*` for wrong settings. */
export async function withFleet<T>(
  options: BrokerOptions,
  work: (fleet: FleetConnection) => Promise<T>,
): Promise<T> {
  const { broker } = loadConfig(settingsOf(options))
  const clientId = `yolo-edge-cli-${randomBytes(6).toString('hex')}`
  const connection = new MqttConnection(await connectionOptionsOf(broker, clientId), { logger: silentLogger })
  await connection.start()
  try {
    await connection.requireOnline(connectLimitMs)
    return await work({ connection, topics: topicsBelow(broker.topicRoot) })
  } finally {
    await connection.stop()
  }
}
