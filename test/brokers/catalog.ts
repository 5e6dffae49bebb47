/**
 * Every broker that can be started here, with the settings that the fleet needs of it.
 * Invariant: a broker listens on free ports of loopback only and keeps its files below the folder it is given.
 */

import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { projectRoot } from '../helpers/paths.js'
import { freePort } from '../helpers/mosquitto.js'
import { BrokerNode, RunningBroker } from './broker-node.js'
import { Erlang } from './erlang.js'
import type { DebianRelease, Software } from './software.js'

/** A broker before it is started. */
export interface BrokerKind {
  /** Key for `--only`: lower case, no spaces. */
  readonly id: string
  readonly name: string
  readonly version: string
  /** Where the software comes from. */
  readonly source: string
  /** What was set beyond a listener without accounts; empty where nothing was. */
  readonly settings: string
  /** Starts it with an empty folder of its own, and resolves when every node listens. */
  start(folder: string, software: Software): Promise<RunningBroker>
}

const sources = join(projectRoot, 'test', 'brokers')
const natsVersion = 'v2.15.3'
const artemisVersion = '2.40.0'
const artemisThreads = 500
const moquetteVersion = '0.17'
const hiveMqVersion = '2025.5'
const mochiVersion = 'v2.7.9'

function mosquitto(release: DebianRelease, version: string, source: string): BrokerKind {
  return {
    id: `mosquitto-${version}`,
    name: 'Mosquitto',
    version,
    source,
    settings: '`set_tcp_nodelay true`, as in deploy/mosquitto',
    async start(folder, software) {
      const root = await software.debianRoot(release)
      const port = await freePort()
      const lines = [
        `listener ${port} 127.0.0.1`,
        'allow_anonymous true',
        'user root',
        'set_tcp_nodelay true',
      ]
      const work = workFolderIn(root)
      writeFileSync(join(work.outside, 'mosquitto.conf'), `${lines.join('\n')}\n`)
      const node = new BrokerNode({
        command: 'chroot',
        args: [root, 'mosquitto', '-c', join(work.inside, 'mosquitto.conf')],
        port,
        logFile: join(folder, 'broker.log'),
      })
      return (await started([node])).alsoRemoving(work.outside)
    },
  }
}

const aedes: BrokerKind = {
  id: 'aedes',
  name: 'aedes',
  version: 'as in package-lock.json',
  source: 'npm',
  settings: '',
  async start(folder) {
    const port = await freePort()
    return started([
      new BrokerNode({
        command: process.execPath,
        args: [join(projectRoot, 'dist', 'test', 'brokers', 'embedded.js'), String(port)],
        port,
        logFile: join(folder, 'broker.log'),
      }),
    ])
  },
}

function natsConfig(folder: string, port: number, mqttPort: number, name: string): readonly string[] {
  return [
    `server_name: ${name}`,
    `listen: 127.0.0.1:${port}`,
    `jetstream { store_dir: "${join(folder, name)}" }`,
    `mqtt { listen: 127.0.0.1:${mqttPort} }`,
  ]
}

function nats(release: DebianRelease | undefined, version: string, source: string): BrokerKind {
  return {
    id: `nats-${version}`,
    name: 'NATS',
    version,
    source,
    settings: 'JetStream on, a server name',
    async start(folder, software) {
      const [port, mqttPort] = [await freePort(), await freePort()]
      const root = release === undefined ? undefined : await software.debianRoot(release)
      const work = root === undefined ? { inside: folder, outside: folder } : workFolderIn(root)
      const file = 'nats.conf'
      writeFileSync(
        join(work.outside, file),
        `${natsConfig(work.inside, port, mqttPort, 'one').join('\n')}\n`,
      )
      const config = join(work.inside, file)
      const spec =
        root === undefined
          ? { command: await natsProgram(software), args: ['-c', config] }
          : { command: 'chroot', args: [root, 'nats-server', '-c', config] }
      const broker = await started([
        new BrokerNode({ ...spec, port: mqttPort, logFile: join(folder, 'broker.log') }),
      ])
      return root === undefined ? broker : broker.alsoRemoving(work.outside)
    },
  }
}

function natsProgram(software: Software): Promise<string> {
  return software.goProgram('nats-server', 'github.com/nats-io/nats-server/v2', natsVersion)
}

const natsCluster: BrokerKind = {
  id: 'nats-cluster',
  name: 'NATS, three nodes',
  version: natsVersion.slice(1),
  source: 'Go module',
  settings: 'deploy/nats/cluster.conf on each node: JetStream with three replicas',
  async start(folder, software) {
    const command = await natsProgram(software)
    const names = ['one', 'two', 'three']
    const ports = await Promise.all(
      names.map(async () => ({ client: await freePort(), mqtt: await freePort(), route: await freePort() })),
    )
    const nodes = names.map((name, index) => {
      const { client, mqtt, route } = ports[index]!
      return new BrokerNode({
        command,
        args: ['-c', join(projectRoot, 'deploy', 'nats', 'cluster.conf')],
        env: {
          NATS_NAME: name,
          NATS_STORE: join(folder, name),
          NATS_LISTEN: `127.0.0.1:${client}`,
          NATS_MQTT_LISTEN: `127.0.0.1:${mqtt}`,
          NATS_CLUSTER_LISTEN: `127.0.0.1:${route}`,
          NATS_ROUTE_1: `nats://127.0.0.1:${ports[0]!.route}`,
          NATS_ROUTE_2: `nats://127.0.0.1:${ports[1]!.route}`,
          NATS_ROUTE_3: `nats://127.0.0.1:${ports[2]!.route}`,
        },
        port: mqtt,
        logFile: join(folder, `${name}.log`),
      })
    })
    const broker = await started(nodes)
    // The nodes listen before they have chosen who leads the streams.
    await delay(5000)
    return broker
  },
}

function rabbitConfig(mqttPort: number, amqpPort: number, peers: readonly string[]): string {
  const lines = [
    `listeners.tcp.default = 127.0.0.1:${amqpPort}`,
    `mqtt.listeners.tcp.default = 127.0.0.1:${mqttPort}`,
    'mqtt.allow_anonymous = true',
    // /proc is not there in a root that is no machine of its own.
    'vm_memory_calculation_strategy = allocated',
    ...(peers.length > 1
      ? [
          'cluster_formation.peer_discovery_backend = classic_config',
          ...peers.map((peer, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${peer}`),
        ]
      : []),
  ]
  return `${lines.join('\n')}\n`
}

function rabbitMq(release: DebianRelease, version: string, source: string, nodeCount: 1 | 3): BrokerKind {
  return {
    id: nodeCount === 1 ? `rabbitmq-${version}` : 'rabbitmq-cluster',
    name: nodeCount === 1 ? 'RabbitMQ' : 'RabbitMQ, three nodes',
    version,
    source,
    settings: 'plugin `rabbitmq_mqtt`, `mqtt.allow_anonymous = true`',
    async start(folder, software) {
      const root = await software.debianRoot(release)
      const work = workFolderIn(root)
      const erlang = await Erlang.start(root, folder)
      const ids = Array.from({ length: nodeCount }, (_, index) => `node${index + 1}@localhost`)
      const nodes: BrokerNode[] = []
      for (const id of ids) {
        const name = id.split('@')[0]!
        const mqttPort = await freePort()
        const own = join(work.outside, name)
        mkdirSync(own)
        writeFileSync(join(own, 'rabbitmq.conf'), rabbitConfig(mqttPort, await freePort(), ids))
        writeFileSync(join(own, 'enabled_plugins'), '[rabbitmq_mqtt].\n')
        nodes.push(await erlang.rabbitNode(id, join(work.inside, name), mqttPort, folder))
      }
      return (await started(nodes, [erlang.names], nodeCount === 1)).alsoRemoving(work.outside)
    },
  }
}

/** A broker for the virtual machine of Java, its main class in a source file beside this one or in the jars. */
async function javaNode(
  jars: string,
  main: readonly string[],
  port: number,
  folder: string,
): Promise<BrokerNode> {
  return Promise.resolve(
    new BrokerNode({
      command: 'java',
      args: ['-Xmx1g', '-cp', join(jars, '*'), ...main],
      cwd: folder,
      port,
      logFile: join(folder, 'broker.log'),
    }),
  )
}

const artemis: BrokerKind = {
  id: 'artemis',
  name: 'ActiveMQ Artemis',
  version: artemisVersion,
  source: 'Maven',
  settings: `an MQTT acceptor, journal on disk, \`thread-pool-max-size\` ${artemisThreads}`,
  async start(folder, software) {
    const jars = await software.jarFolder('org.apache.activemq', 'artemis-mqtt-protocol', artemisVersion)
    const port = await freePort()
    const directories = ['journal', 'bindings', 'large-messages', 'paging']
      .map((name) => `<${name}-directory>${join(folder, name)}</${name}-directory>`)
      .join('')
    // A connecting client waits on a thread of the pool for its state to be written, which takes another one: 30 block each other.
    const pool = `<thread-pool-max-size>${artemisThreads}</thread-pool-max-size>`
    const acceptor = `<acceptor name="mqtt">tcp://127.0.0.1:${port}?protocols=MQTT</acceptor>`
    const core = `<core xmlns="urn:activemq:core"><security-enabled>false</security-enabled>${pool}${directories}<acceptors>${acceptor}</acceptors></core>`
    const config = join(folder, 'broker.xml')
    writeFileSync(config, `<configuration xmlns="urn:activemq">${core}</configuration>`)
    return started([await javaNode(jars, [join(sources, 'Artemis.java'), config], port, folder)])
  },
}

function moquette(messageBytesMax: number | undefined): BrokerKind {
  return {
    id: messageBytesMax === undefined ? 'moquette-default' : 'moquette',
    name: 'Moquette',
    version: moquetteVersion,
    source: 'Maven',
    settings: messageBytesMax === undefined ? '' : `\`netty.mqtt.message_size ${messageBytesMax}\``,
    async start(folder, software) {
      const jars = await software.jarFolder('io.moquette', 'moquette-broker', moquetteVersion)
      const port = await freePort()
      mkdirSync(join(folder, 'config'))
      const lines = [
        `port ${port}`,
        'host 127.0.0.1',
        'allow_anonymous true',
        'telemetry_enabled false',
        `data_path ${folder}`,
        ...(messageBytesMax === undefined ? [] : [`netty.mqtt.message_size ${messageBytesMax}`]),
      ]
      writeFileSync(join(folder, 'config', 'moquette.conf'), `${lines.join('\n')}\n`)
      return started([await javaNode(jars, ['io.moquette.broker.Server'], port, folder)])
    },
  }
}

const hiveMq: BrokerKind = {
  id: 'hivemq',
  name: 'HiveMQ Community Edition',
  version: hiveMqVersion,
  source: 'Maven',
  settings: '',
  async start(folder, software) {
    const jars = await software.jarFolder('com.hivemq', 'hivemq-community-edition-embedded', hiveMqVersion)
    const port = await freePort()
    const folders = ['conf', 'data', 'extensions'].map((name) => join(folder, name))
    for (const each of folders) mkdirSync(each)
    const listener = `<tcp-listener><port>${port}</port><bind-address>127.0.0.1</bind-address></tcp-listener>`
    const usage = '<anonymous-usage-statistics><enabled>false</enabled></anonymous-usage-statistics>'
    writeFileSync(
      join(folders[0]!, 'config.xml'),
      `<hivemq><listeners>${listener}</listeners>${usage}</hivemq>`,
    )
    return started([await javaNode(jars, [join(sources, 'HiveMq.java'), ...folders], port, folder)])
  },
}

const mochi: BrokerKind = {
  id: 'mochi',
  name: 'mochi-mqtt',
  version: mochiVersion.slice(1),
  source: 'Go module',
  settings: '',
  async start(folder, software) {
    const command = await software.goProgram(
      'mochi',
      'github.com/mochi-mqtt/server/v2/cmd/docker',
      mochiVersion,
    )
    const port = await freePort()
    const config = join(folder, 'config.yaml')
    const lines = [
      'listeners:',
      `  - { type: tcp, id: loopback, address: "127.0.0.1:${port}" }`,
      'hooks: { auth: { allow_all: true } }',
    ]
    writeFileSync(config, `${lines.join('\n')}\n`)
    return started([
      new BrokerNode({ command, args: ['-config', config], port, logFile: join(folder, 'broker.log') }),
    ])
  },
}

/** All of them; each once alone, then the clusters. */
export const brokerKinds: readonly BrokerKind[] = [
  mosquitto('bookworm', '2.0.11', 'Debian 12'),
  mosquitto('trixie', '2.0.21', 'Debian 13'),
  aedes,
  nats('bookworm', '2.9.10', 'Debian 12'),
  nats(undefined, natsVersion.slice(1), 'Go module'),
  mochi,
  rabbitMq('bookworm', '3.10.8', 'Debian 12', 1),
  rabbitMq('trixie', '4.0.5', 'Debian 13', 1),
  artemis,
  moquette(undefined),
  moquette(1_000_000),
  hiveMq,
  natsCluster,
  rabbitMq('trixie', '4.0.5', 'Debian 13', 3),
]

/** Starts all nodes at once: those of a cluster wait for each other. */
async function started(
  nodes: readonly BrokerNode[],
  helpers: readonly BrokerNode[] = [],
  sharesRetained = true,
): Promise<RunningBroker> {
  const broker = new RunningBroker(nodes, helpers, sharesRetained)
  try {
    for (const node of nodes) await node.start(false)
    for (const node of nodes) await node.requireListening()
  } catch (thrown) {
    await broker.stop()
    throw thrown
  }
  return broker
}

/** A folder that a process inside `root` sees: `inside` is its path there, `outside` the same folder from here. */
function workFolderIn(root: string): { readonly inside: string; readonly outside: string } {
  // A folder that was there before would bring its messages along.
  const inside = join('/run/brokers', randomBytes(6).toString('hex'))
  const outside = join(root, inside)
  mkdirSync(outside, { recursive: true })
  return { inside, outside }
}
