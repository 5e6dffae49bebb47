/** What people read when a broker refuses, closes or throws away what the fleet sends it: the right reason and exit status. */

import { join } from 'node:path'
import t, { type Test } from 'tap'
import { until } from '../helpers/broker.js'
import { Mosquitto, skipWithoutMosquitto } from '../helpers/mosquitto.js'
import { projectRoot } from '../helpers/paths.js'
import { type RunningCommand, runCommand, startCommand } from '../helpers/processes.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

t.setTimeout(300_000)
const skip = skipWithoutMosquitto()
const options = { skip, timeout: 120_000 }
const model = join(projectRoot, 'models', 'parts', 'parts-pruned-int8.onnx')

async function keys(t: Test): Promise<string> {
  const folder = temporaryFolder(t, {}, ['keys', 'state'])
  await runCommand(t, ['keygen', join(folder, 'keys', 'fleet')])
  return folder
}

async function mosquitto(t: Test, lines: readonly string[]): Promise<Mosquitto> {
  const broker = await Mosquitto.start({ folder: temporaryFolder(t, {}), lines })
  t.teardown(() => broker.stop())
  return broker
}

const publish = (folder: string, url: string, ...more: readonly string[]): readonly string[] => [
  ...[
    'publish',
    model,
    '--name',
    'parts',
    '--model-version',
    '1.0.0',
    '--sign',
    join(folder, 'keys', 'fleet.key'),
  ],
  ...['--broker', url, ...more],
]

const agent = (t: Test, folder: string, ...settings: readonly string[]): RunningCommand =>
  startCommand(t, [
    'run',
    ...[`state.directory=${join(folder, 'state')}`, `security.trusted_keys=${join(folder, 'keys')}`]
      .concat(settings)
      .flatMap((setting) => ['--set', setting]),
  ])

/** A refusal by Mosquitto, how it is set up, and what publish has to say over each version of MQTT. */
interface Refusal {
  readonly lines: readonly string[]
  readonly over5: RegExp
  readonly over4: RegExp
  /** What the agent says in its log, whatever version it found. */
  readonly agent?: RegExp
}

const refusals: Readonly<Record<string, Refusal>> = {
  'keeps nothing': {
    lines: ['retain_available false'],
    over5: /network\.broker_refused: .*the broker keeps no retained messages/,
    over4: /network\.(?:connection_lost|message_unkept): /,
    agent: /keeps no retained messages/,
  },
  'takes QoS 0 only': {
    lines: ['max_qos 0'],
    over5: /network\.broker_refused: .*takes messages of QoS 0 only/,
    over4: /network\.(?:connection_lost|message_unkept): /,
    agent: /does not take messages of QoS 1/,
  },
  'limits messages': {
    lines: ['message_size_limit 50000'],
    over5: /network\.broker_refused: .*61,440 bytes.*too large/,
    over4: /network\.message_unkept: the broker acknowledged chunk .*does not hand it out/,
  },
  'limits packets': {
    lines: ['max_packet_size 50000'],
    over5: /network\.broker_refused: .*larger than the broker takes/,
    over4: /network\.connection_lost: .*61,440 bytes.*closed the connection/,
  },
}

for (const [name, { lines, over5, over4, agent: told }] of Object.entries(refusals))
  t.test(`a broker that ${name}`, options, async (t) => {
    const folder = await keys(t)
    const { url } = await mosquitto(t, lines)
    for (const [version, expected] of [
      [5, over5],
      [4, over4],
    ] as const) {
      const settings = version === 4 ? ['--set', 'broker.protocol_version=4'] : []
      const { status, stderr, stdout } = await runCommand(t, publish(folder, url, ...settings))
      t.equal(status, 6, `version ${version}: ${stderr}`)
      t.match(stderr, expected, `version ${version}`)
      t.notMatch(stderr, /not reachable|cannot reach|no connection/, `version ${version}: it was reached`)
      t.notMatch(stdout, /is published/)
    }
    if (told === undefined) return
    const device = agent(t, folder, `broker.url=${url}`)
    await until(() => told.test(device.stdout() + device.stderr()))
  })

t.test(
  'an account that may not write is told so over MQTT 3.1.1 as well, and no channel is told anything',
  options,
  async (t) => {
    const folder = await keys(t)
    const accounts = temporaryFolder(t, {
      'rules.acl': new TextEncoder().encode('topic read yolo-edge/v2/#\n'),
    })
    const { url } = await mosquitto(t, [`acl_file ${join(accounts, 'rules.acl')}`])
    for (const [version, expected] of [
      [5, /network\.broker_refused: .*not authorized/],
      [4, /network\.message_unkept: /],
    ] as const) {
      const { status, stderr, stdout } = await runCommand(
        t,
        publish(folder, url, ...(version === 4 ? ['--set', 'broker.protocol_version=4'] : [])),
      )
      t.equal(status, 6, stderr)
      t.match(stderr, expected, `version ${version}`)
      t.notMatch(stdout, /is told to run/)
    }
  },
)
