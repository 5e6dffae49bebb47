/**
 * What the fleet needs of a broker, tried through the product's own commands and agents.
 * Invariant: a case passes only by what was seen on the broker or said by a device; nothing is taken from a command's word
 * alone.
 */

import { setTimeout as delay } from 'node:timers/promises'
import { sha256Of } from '../../src/base/digest.js'
import { artefactsOf, manifestPayloadType, parseManifest } from '../../src/protocol/manifest.js'
import { unverifiedPayload } from '../../src/protocol/envelope-form.js'
import { type MqttConnection } from '../../src/transport/mqtt-connection.js'
import { readRetained } from '../../src/transport/retained-reading.js'
import { MqttProxy } from '../helpers/mqtt-proxy.js'
import type { RunningBroker } from './broker-node.js'
import { eventually, type HeardDevice, type Lab, lastLine } from './lab.js'

/** What became of one case. */
export interface CaseOutcome {
  readonly id: CaseId
  readonly passed: boolean
  /** It passed in a way that asks something of the operator; the detail says what. */
  readonly isLimited?: boolean
  /** Figures of a case that passed, or the reason why one did not. */
  readonly detail: string
  readonly seconds: number
}

/** The cases, in the order in which they build on each other. */
export const caseTitles = {
  check: '`broker check`',
  deliver: 'publish, deliver',
  chunks: 'chunks right',
  resume: 'resume',
  will: 'last will',
  rollout: 'rollout, status',
  retire: 'retire',
  storm: 'reconnect storm',
  node: 'a node killed',
} as const

export type CaseId = keyof typeof caseTitles

interface Context {
  readonly lab: Lab
  readonly broker: RunningBroker
  /** The device that runs through all cases. */
  readonly heard: HeardDevice
}

/** A finding of `broker check`, as far as it is looked at. */
interface Finding {
  readonly need: string
  readonly verdict: string
  readonly sentence: string
  readonly remedy?: string
}

/** What a case that passed has to say: figures, or what limits the fleet on such a broker and what to do then. */
type Passed = string | { readonly limit: string }

type Case = (context: Context) => Promise<Passed>

const device = 'cam.1'
const late = 'cam.2'
const stormDevices = 50
const storms = 5
const nodeModels = ['parts', 'parts-pruned']
/** Of the line on which a download is killed. */
const slowBytesPerSecond = 100_000

async function publish(
  lab: Lab,
  version: string,
  models: readonly string[],
  more: readonly string[] = [],
): Promise<void> {
  await lab.ask([
    ...['publish', ...models.map((name) => lab.model(name)), '--name', 'parts', '--model-version', version],
    ...['--sequence', version.split('.')[0]!, '--sign', lab.key, ...more],
  ])
}

const cases: Readonly<Record<CaseId, Case>> = {
  check: async ({ lab, broker }) => {
    const { status, stdout, stderr } = await lab.command(['broker', 'check', ...lab.urls, '--json'], false)
    const { findings } = JSON.parse(stdout.slice(0, stdout.indexOf('\n}\n') + 3)) as {
      findings: readonly Finding[]
    }
    const count = `${findings.filter(({ verdict }) => verdict === 'ok').length} of ${findings.length} good`
    const [first] = findings.filter(({ verdict }) => verdict === 'fails')
    if (broker.sharesRetained) {
      if (first !== undefined) throw new Error(`${first.need}: ${first.sentence}; ${first.remedy ?? ''}`)
      if (status !== 0) throw new Error(lastLine(stderr))
      return count
    }
    const isTold = first?.need.startsWith('node ') === true && first.sentence.includes('another node keeps')
    if (!isTold) throw new Error('nothing is said of retained messages that stay on one node')
    return { limit: `${count}; each other node ${first.sentence}` }
  },

  deliver: async ({ lab, heard }) => {
    const startMs = performance.now()
    await publish(lab, '1.0.0', ['parts-int8', 'parts'])
    const publishedS = (performance.now() - startMs) / 1000
    await eventually('the device serves 1.0.0', () => heard.reported?.active?.version === '1.0.0')
    const framesBefore = heard.frames
    await eventually('it is committed', () => heard.deployments.at(-1)?.state === 'idle')
    await eventually('detections arrive', () => heard.frames > framesBefore + 2)
    return `published in ${publishedS.toFixed(1)} s`
  },

  chunks: async ({ lab }) => {
    const { right, wrong } = await chunksOf(lab, lab.observer, '1.0.0')
    if (wrong.length > 0)
      throw new Error(`${wrong.length} of ${right + wrong.length} chunks are wrong or missing`)
    return `${right} right, 0 wrong`
  },

  resume: async ({ lab, broker }) => {
    await publish(lab, '2.0.0', ['parts-int8', 'parts-pruned'], ['--no-wish'])
    const own = await chunkDigests(lab, lab.observer, '2.0.0')
    await lab.ask(['rollout', 'start', 'parts', '2.0.0', '--sign', lab.key])
    const come = new Set<string>()
    const slow = await proxyTo(lab, broker, {
      bytesPerSecond: slowBytesPerSecond,
      onDelivered: (topic) => {
        if (own.has(topic)) come.add(topic)
      },
    })
    const heard = lab.listenTo(late)
    const before = lab.agent(late, [slow.url])
    await eventually('a few chunks have come', () => come.size >= 6)
    // A device records what has come every two seconds; these are recorded when so many more have come at this speed.
    const early = [...come]
    await eventually('more chunks have come', () => come.size >= early.length + 8)
    before.kill('SIGKILL')
    await before.ended
    await eventually('the last will of the killed device', () => heard.availability === 'offline')
    const asked = new Set<string>()
    const fast = await proxyTo(lab, broker, {
      onAsked: (topic) => {
        if (own.has(topic)) asked.add(topic)
      },
    })
    lab.agent(late, [fast.url])
    await eventually(
      'the device goes on after its restart',
      () => heard.reported?.active?.version === '2.0.0',
    )
    const again = early.filter((topic) => asked.has(topic))
    if (again.length > 0)
      throw new Error(`${again.length} of ${early.length} chunks that were recorded were asked for again`)
    return `${asked.size} of ${own.size} chunks asked for after the restart`
  },

  will: async ({ lab }) => {
    const topic = lab.topics.deviceState(late, 'availability')
    const agent = lab.agent('cam.3')
    const third = lab.topics.deviceState('cam.3', 'availability')
    const heard = lab.listenTo('cam.3')
    await eventually('a third device is online', () => heard.availability === 'online')
    agent.kill('SIGKILL')
    await agent.ended
    await eventually('its last will', () => heard.availability === 'offline')
    // Retained: whoever looks later reads it as well.
    const looker = await lab.connect('looker')
    const { messages } = await readRetained(looker, [third, topic], { isComplete: ({ size }) => size === 2 })
    const kept = Buffer.from(messages.get(third) ?? []).toString()
    if (kept !== 'offline') throw new Error(`the broker keeps ${kept === '' ? 'nothing' : kept} of it`)
    return 'sent and kept'
  },

  rollout: async ({ lab, heard }) => {
    await eventually('the first device serves 2.0.0', () => heard.reported?.active?.version === '2.0.0')
    await eventually('it is idle', () => heard.deployments.at(-1)?.state === 'idle')
    const status = await lab.ask(['rollout', 'status'])
    const versions = status['versions'] as readonly {
      version: string
      devices: Record<string, number>
      channels: readonly { phase: string }[]
    }[]
    const second = versions.find(({ version }) => version === '2.0.0')
    if (second === undefined) throw new Error('rollout status does not know 2.0.0')
    const serving = second.devices['serving'] ?? 0
    if (serving < 2) throw new Error(`rollout status counts ${serving} devices that serve 2.0.0, expected 2`)
    if (second.channels[0]?.phase !== 'running')
      throw new Error('rollout status knows no channel that asks for 2.0.0')
    return `${serving} devices serving`
  },

  retire: async ({ lab }) => {
    const total = await chunkCountOf(lab, lab.observer, '2.0.0')
    const retired = await lab.ask(['publish', '--retire', '--name', 'parts', '--model-version', '1.0.0'])
    const { right, wrong } = await chunksOf(lab, lab.observer, '2.0.0')
    if (wrong.length > 0 || right !== total)
      throw new Error(`retiring 1.0.0 left ${right} of ${total} chunks of 2.0.0`)
    return `${String(retired['cleared_chunks'])} cleared, ${String(retired['kept_chunks'])} kept`
  },

  storm: async ({ lab, broker }) => {
    const link = await proxyTo(lab, broker, {})
    const fleet = lab.start([
      ...['simulate', '--devices', String(stormDevices), '--until', '3.0.0', '--trial', '0', '--soak', '0'],
      ...['--channel', 'storm', '--metrics', '1', '--prefix', 'storm', '--json'],
      ...['--set', `security.trusted_keys=${lab.folder}/keys`, '--broker', link.url],
    ])
    await eventually('all simulated devices are online', () => fleet.stderr().includes(`${stormDevices} of`))
    for (let storm = 0; storm < storms; storm++) {
      link.cut()
      await delay(1500)
    }
    await publish(lab, '3.0.0', ['parts-pruned-int8', 'parts-pruned'], ['--channel', 'storm'])
    const status = await fleet.ended
    const figures = JSON.parse(fleet.stdout()) as Record<string, number>
    if (status !== 0) throw new Error(lastLine(fleet.stderr()))
    if (figures['wrong_chunks'] !== 0) throw new Error(`${String(figures['wrong_chunks'])} wrong chunks`)
    return `${String(figures['committed'])} devices, ${String(figures['reconnects'])} reconnects, 0 wrong`
  },

  node: async ({ lab, broker }) => {
    const [victim] = broker.nodes
    if (broker.nodes.length < 2 || victim === undefined) return 'one node'
    const fleet = lab.start([
      ...['simulate', '--devices', String(stormDevices), '--until', '4.0.0', '--trial', '0', '--soak', '0'],
      ...['--channel', 'cluster', '--prefix', 'node', '--window', '4', '--spread', '10', '--json'],
      ...['--set', `security.trusted_keys=${lab.folder}/keys`],
    ])
    await eventually('all simulated devices are online', () => fleet.stderr().includes(`${stormDevices} of`))
    await publish(lab, '4.0.0', nodeModels, ['--channel', 'cluster'])
    await delay(3000)
    await victim.end('SIGKILL')
    // Where each node keeps its own messages, what was on the lost one is published again, which goes to the next one.
    if (!broker.sharesRetained) await publish(lab, '4.0.0', nodeModels, ['--channel', 'cluster'])
    const status = await fleet.ended
    if (status !== 0) throw new Error(lastLine(fleet.stderr()))
    const figures = JSON.parse(fleet.stdout()) as Record<string, number>
    if (figures['wrong_chunks'] !== 0) throw new Error(`${String(figures['wrong_chunks'])} wrong chunks`)
    await victim.start()
    const seen = `${String(figures['committed'])} of ${stormDevices} delivered, ${String(figures['reconnects'])} reconnects, 0 wrong`
    return broker.sharesRetained ? seen : { limit: `${seen}, after publishing once more to the next node` }
  },
}

/**
 * Runs all cases on a broker, one after the other. One that fails does not end the others; but where `broker check` says that the
 * broker is not fit, nothing else is tried.
 */
export async function runCases(
  lab: Lab,
  broker: RunningBroker,
  tell: (outcome: CaseOutcome) => void,
  isWanted: (id: CaseId) => boolean = () => true,
): Promise<readonly CaseOutcome[]> {
  await lab.open()
  const heard = lab.listenTo(device)
  if (isWanted('deliver')) lab.agent(device)
  const outcomes: CaseOutcome[] = []
  for (const [id, run] of Object.entries(cases) as [CaseId, Case][]) {
    if (!isWanted(id) || (id === 'node' && broker.nodes.length === 1)) continue
    const startMs = performance.now()
    const end = (passed: boolean, said: Passed): void => {
      const seconds = Math.round((performance.now() - startMs) / 100) / 10
      const outcome: CaseOutcome =
        typeof said === 'string'
          ? { id, passed, detail: said, seconds }
          : { id, passed, isLimited: true, detail: said.limit, seconds }
      outcomes.push(outcome)
      tell(outcome)
    }
    try {
      end(true, await run({ lab, broker, heard }))
    } catch (thrown) {
      end(false, thrown instanceof Error ? thrown.message : String(thrown))
      if (id === 'check') break
    }
  }
  return outcomes
}

async function proxyTo(
  lab: Lab,
  broker: RunningBroker,
  options: Omit<Parameters<typeof MqttProxy.start>[0], 'brokerPort'>,
): Promise<MqttProxy> {
  const proxy = await MqttProxy.start({ ...options, brokerPort: broker.ports[0]! })
  lab.teardown(() => proxy.stop())
  return proxy
}

/** Every chunk topic of a version with the digest that it must have. */
async function chunkDigests(
  lab: Lab,
  connection: MqttConnection,
  version: string,
): Promise<Map<string, string>> {
  const topic = lab.topics.manifest('parts', version)
  const { messages } = await readRetained(connection, [topic], { isComplete: ({ size }) => size > 0 })
  const envelope = messages.get(topic)
  if (envelope === undefined) throw new Error(`the broker holds no manifest of ${version}`)
  const manifest = parseManifest(unverifiedPayload(envelope, [manifestPayloadType]).payload)
  return new Map(
    artefactsOf(manifest).flatMap(({ blob }) =>
      blob.chunks.map((digest, index) => [lab.topics.chunk(blob.sha256, index), digest] as const),
    ),
  )
}

async function chunkCountOf(lab: Lab, connection: MqttConnection, version: string): Promise<number> {
  return (await chunkDigests(lab, connection, version)).size
}

/** How many chunks of a version the broker holds right, and the topics of the others. */
async function chunksOf(
  lab: Lab,
  connection: MqttConnection,
  version: string,
): Promise<{ readonly right: number; readonly wrong: readonly string[] }> {
  const digests = await chunkDigests(lab, connection, version)
  const wrong: string[] = []
  const topics = [...digests.keys()]
  for (let first = 0; first < topics.length; first += 16) {
    const window = topics.slice(first, first + 16)
    const { messages } = await readRetained(connection, window, {
      isComplete: ({ size }) => size === window.length,
    })
    for (const topic of window) {
      const bytes = messages.get(topic)
      if (bytes === undefined || sha256Of(bytes) !== digests.get(topic)) wrong.push(topic)
    }
  }
  return { right: digests.size - wrong.length, wrong }
}
