/**
 * RabbitMQ nodes in a Debian root, with a name server of their own.
 * Why a name server: a node of Erlang starts one by itself, for all users of the machine, and leaves it behind.
 */

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../helpers/mosquitto.js'
import { BrokerNode } from './broker-node.js'

/** What the nodes of one cluster share. */
export class Erlang {
  /** The name server, epmd. */
  readonly names: BrokerNode
  readonly #root: string
  readonly #namePort: number

  private constructor(root: string, namePort: number, names: BrokerNode) {
    this.#root = root
    this.#namePort = namePort
    this.names = names
  }

  /** Starts the name server of a cluster. */
  static async start(root: string, folder: string): Promise<Erlang> {
    const port = await freePort()
    const names = new BrokerNode({
      command: 'chroot',
      args: [root, 'epmd'],
      env: { ERL_EPMD_ADDRESS: '127.0.0.1', ERL_EPMD_PORT: String(port) },
      logFile: join(folder, 'names.log'),
    })
    await names.start()
    await delay(300)
    return new Erlang(root, port, names)
  }

  /** A node with the configuration files in `folder`, a path inside the root; its log goes below `logFolder`. */
  async rabbitNode(id: string, folder: string, mqttPort: number, logFolder: string): Promise<BrokerNode> {
    const settings: Readonly<Record<string, string>> = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: folder,
      LANG: 'C.UTF-8',
      HOSTNAME: 'localhost',
      ERL_EPMD_ADDRESS: '127.0.0.1',
      ERL_EPMD_PORT: String(this.#namePort),
      RABBITMQ_NODENAME: id,
      RABBITMQ_DIST_PORT: String(await freePort()),
      RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
      RABBITMQ_MNESIA_BASE: join(folder, 'data'),
      RABBITMQ_LOG_BASE: join(folder, 'log'),
      RABBITMQ_LOGS: '-',
      RABBITMQ_PID_FILE: join(folder, 'pid'),
      RABBITMQ_ERLANG_COOKIE: 'brokers',
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
        '+S 1:1 -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}',
    }
    return new BrokerNode({
      command: 'chroot',
      args: [
        this.#root,
        'env',
        '-i',
        ...Object.entries(settings).map(([name, value]) => `${name}=${value}`),
        '/usr/lib/rabbitmq/bin/rabbitmq-server',
      ],
      port: mqttPort,
      logFile: join(logFolder, `${id}.log`),
    })
  }
}
