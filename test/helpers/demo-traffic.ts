/**
 * Everything that goes over the broker of a demo run: publishing, deployment, detections, metrics, a report, questions and
 * answers. Heard by a client of its own from the first message on.
 * Invariant: what is listed as live is in the order of arrival; what is listed as kept was given to a subscriber that came last.
 */

import { rm } from 'node:fs/promises'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mqtt from 'mqtt'
import { drawConveyor, drawGoldenSet } from '../../src/cli/demo/conveyor.js'
import { runDemo } from '../../src/cli/demo/demo-run.js'
import { encodeCommand } from '../../src/protocol/command.js'
import { deploymentsCommandName } from '../../src/protocol/deployment-history.js'
import { encodePreviewRequest, previewCommand } from '../../src/protocol/preview.js'
import { defaultRoot, topicsBelow } from '../../src/protocol/topics.js'
import { labModel } from './agent-lab.js'

export interface HeardMessage {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: number
}

export interface DemoTraffic {
  readonly live: readonly HeardMessage[]
  /** The topics of what the broker had kept at the end. */
  readonly kept: readonly string[]
}

const topics = topicsBelow(defaultRoot)

/** What the camera of the demo watches. */
const scene = {
  zones: [
    {
      name: 'belt',
      polygon: [
        [0.1, 0.1],
        [0.9, 0.1],
        [0.9, 0.9],
        [0.1, 0.9],
      ],
    },
  ],
  lines: [{ name: 'gate', from: [0.5, 1], to: [0.5, 0] }],
}

/** Records a run of the demo that lasts until `isEnough` says so of what was heard; `settings` are the agent's. */
export async function recordDemo(
  settings: ReadonlyMap<string, unknown>,
  isEnough: (live: readonly HeardMessage[]) => boolean,
): Promise<DemoTraffic> {
  const folder = mkdtempSync(join(tmpdir(), 'demo-traffic-'))
  const live: HeardMessage[] = []
  const kept: string[] = []
  const stop = new AbortController()
  const clients: mqtt.MqttClient[] = []
  let closing: Promise<void> | undefined
  try {
    const { uri, truthOf } = await drawConveyor(join(folder, 'pictures'), () => undefined)
    const golden = await drawGoldenSet(join(folder, 'golden'))
    await runDemo({
      models: [labModel],
      source: uri,
      truthOf,
      golden,
      durationMs: 120_000,
      dashboardPort: 0,
      settings: new Map<string, unknown>([
        ['acceptance.soak_s', 1],
        ['acceptance.soak_window_s', 1],
        ['cameras', [{ name: 'demo', source: uri, ...scene }]],
        ['events.enabled', true],
        ['events.pictures', true],
        ['events.update_s', 1],
        ...settings,
      ]),
      onDashboard: (url) => {
        void listen(url, live).then((client) => clients.push(client))
      },
      onTick: (tally) => {
        const [client] = clients
        if (client === undefined || tally.frames === 0) return
        ask(client)
        if (isEnough(live))
          closing ??= hearKept(client, kept).finally(() => {
            stop.abort()
          })
      },
      signal: stop.signal,
    })
    await closing
  } finally {
    await Promise.all(clients.map((client) => client.endAsync(true)))
    await rm(folder, { recursive: true, force: true })
  }
  return { live, kept }
}

async function listen(pageUrl: string, live: HeardMessage[]): Promise<mqtt.MqttClient> {
  const { broker } = (await (await fetch(`${pageUrl}settings.json`)).json()) as { readonly broker: string }
  const client = await mqtt.connectAsync(broker, { protocolVersion: 4 })
  const onMessage = (topic: string, payload: Buffer, { qos }: { readonly qos: number }): void => {
    live.push({ topic, payload, qos })
  }
  client.on('message', onMessage)
  await client.subscribeAsync(`${defaultRoot}/#`, { qos: 1 })
  return client
}

const asked = new WeakSet<mqtt.MqttClient>()

/** Asks every question once. */
function ask(client: mqtt.MqttClient): void {
  if (asked.has(client)) return
  asked.add(client)
  const preview = encodeCommand({
    transaction: 'pictures',
    args: encodePreviewRequest({ forMs: 5000, fpsMax: 5 }),
  })
  client.publish(topics.command('demo-device', previewCommand), Buffer.from(preview), { qos: 1 })
  const history = encodeCommand({ transaction: 'history' })
  client.publish(topics.command('demo-device', deploymentsCommandName), Buffer.from(history), { qos: 1 })
}

/** Subscribes anew, which makes the broker give all that it has kept, and waits until a message of its own comes after it. */
async function hearKept(client: mqtt.MqttClient, kept: string[]): Promise<void> {
  client.removeAllListeners('message')
  client.on('message', (topic, _payload, { retain }) => {
    if (retain) kept.push(topic)
  })
  await client.unsubscribeAsync(`${defaultRoot}/#`)
  await client.subscribeAsync(`${defaultRoot}/#`, { qos: 1 })
  let before = -1
  while (kept.length > before) {
    before = kept.length
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}
