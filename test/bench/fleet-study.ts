/**
 * What a rollout to many devices costs a broker: time, bytes, CPU and memory at growing numbers of simulated devices, and the line through them.
 *
 *     npm run bench -- fleet-study [--broker ID] [--devices 10,100,1000] [--bytes 3300000] [--window 4] [--page FILE]
 *
 * Every device fetches and proves every chunk of the same model at the same time, through `yolo-edge simulate`: real processes over
 * loopback, brokers as test/brokers starts them. Fails when a device gets no model, or a wrong chunk.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { silentLogger } from '../../src/base/logger.js'
import { sealEnvelope } from '../../src/protocol/envelope.js'
import { cutBlob } from '../../src/protocol/cut-blob.js'
import { desiredPayloadType, encodeDesired } from '../../src/protocol/desired.js'
import { generateKeys, parseSigningKey, trustedKeyOf } from '../../src/protocol/keys.js'
import { encodeManifest, type Manifest, manifestPayloadType } from '../../src/protocol/manifest.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { publishRetained } from '../../src/transport/publish-retained.js'
import type { RunningBroker } from '../brokers/broker-node.js'
import { brokerKinds } from '../brokers/catalog.js'
import { Software } from '../brokers/software.js'
import { bytesFrom } from '../helpers/blobs.js'
import { startCommand } from '../helpers/processes.js'
import { exampleVariant } from '../helpers/test-fleet.js'

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    broker: { type: 'string', default: 'mosquitto-2.0.21' },
    devices: { type: 'string', default: '10,100,1000' },
    bytes: { type: 'string', default: '3300000' },
    window: { type: 'string', default: '4' },
    keep: { type: 'string', default: join(homedir(), '.cache', 'yolo-edge', 'brokers') },
    page: { type: 'string' },
  },
})

/** One process simulates no more than this many devices. */
const devicesPerProcess = 1250
const model = 'study'
const topics = topicsBelow('yolo-edge/v2')

/** What one rollout cost. */
interface Point {
  readonly devices: number
  readonly seconds: number
  readonly bytes: number
  readonly cpuSeconds: number
  readonly idleMemoryBytes: number
  readonly peakMemoryBytes: number
}

const kind = brokerKinds.find(({ id }) => id === values.broker)
if (kind === undefined) throw new Error(`no broker ${values.broker}`)
const folder = mkdtempSync(join(tmpdir(), 'yolo-edge-study-'))
for (const name of ['broker', 'keys']) mkdirSync(join(folder, name))
const ends: (() => unknown)[] = []
const teardowns = { teardown: (end: () => unknown) => ends.push(end) }

const { privatePem, publicPem } = generateKeys()
writeFileSync(join(folder, 'keys', 'study.pub'), publicPem)
const key = parseSigningKey(privatePem)
const file = bytesFrom(1, Number(values.bytes))
const blob = cutBlob(file, 61_440)

/** Puts the model on the broker under the version `number`.0.0. */
async function publishModel(connection: MqttConnection, number: number): Promise<void> {
  const manifest: Manifest = {
    model,
    version: `${number}.0.0`,
    sequence: number,
    createdAt: new Date().toISOString(),
    task: 'detect',
    classNames: ['part'],
    input: { width: 640, height: 640 },
    variants: [
      exampleVariant('int8', { sha256: blob.sha256, sizeBytes: blob.sizeBytes, encoding: 'none', blob }),
    ],
    source: { sha256: trustedKeyOf(key).keyId, toolVersion: '0.0.0' },
  }
  for (const index of blob.chunks.keys()) {
    const start = index * blob.chunkSizeBytes
    await publishRetained(
      connection,
      topics.chunk(blob.sha256, index),
      file.subarray(start, start + blob.chunkSizeBytes),
    )
  }
  const envelope = sealEnvelope(manifestPayloadType, encodeManifest(manifest), [key])
  await publishRetained(connection, topics.manifest(model, manifest.version), envelope)
}

async function wish(connection: MqttConnection, number: number): Promise<void> {
  const target = { kind: 'channel', name: 'study' } as const
  const desired = {
    target,
    model,
    version: `${number}.0.0`,
    sequence: number,
    createdAt: new Date().toISOString(),
  }
  const envelope = sealEnvelope(desiredPayloadType, encodeDesired(desired), [key])
  await publishRetained(connection, topics.channelDesired(target.name), envelope)
}

async function measure(
  broker: RunningBroker,
  connection: MqttConnection,
  devices: number,
  round: number,
): Promise<Point> {
  await publishModel(connection, round)
  const counts = Array.from({ length: Math.ceil(devices / devicesPerProcess) }, (_, index) =>
    Math.min(devicesPerProcess, devices - index * devicesPerProcess),
  )
  const fleets = counts.map((count, index) =>
    startCommand(teardowns, [
      ...['simulate', '--devices', String(count), '--first', String(1 + index * devicesPerProcess)],
      ...['--channel', 'study', '--prefix', `round${round}`, '--until', `${round}.0.0`],
      ...['--trial', '0', '--soak', '0', '--metrics', '0', '--window', values.window, '--json'],
      ...['--broker', broker.urls[0]!, '--set', `security.trusted_keys=${join(folder, 'keys')}`],
    ]),
  )
  const isOnline = (index: number): boolean =>
    fleets[index]!.stderr().includes(`${counts[index]!} of ${counts[index]!} devices`)
  const gone = Promise.race(fleets.map(({ ended }) => ended)).then(() => 'ended' as const)
  while (!counts.every((_, index) => isOnline(index))) {
    if ((await Promise.race([gone, delay(100)])) === 'ended') break
  }
  const idleMemoryBytes = broker.residentBytes()
  let peakMemoryBytes = idleMemoryBytes
  const watch = setInterval(() => {
    peakMemoryBytes = Math.max(peakMemoryBytes, broker.residentBytes())
  }, 200)
  const cpuStartMs = broker.cpuMs()
  const startMs = performance.now()
  await wish(connection, round)
  const statuses = await Promise.all(fleets.map(({ ended }) => ended))
  const seconds = (performance.now() - startMs) / 1000
  clearInterval(watch)
  let bytes = 0
  for (const [index, fleet] of fleets.entries()) {
    if (statuses[index] !== 0) throw new Error(fleet.stderr().slice(-500))
    const figures = JSON.parse(fleet.stdout()) as Record<string, number>
    if (figures['wrong_chunks'] !== 0 || figures['committed'] !== counts[index])
      throw new Error(`not delivered: ${fleet.stdout()}`)
    bytes += figures['fetched_bytes']!
  }
  const cpuSeconds = (broker.cpuMs() - cpuStartMs) / 1000
  return { devices, seconds, bytes, cpuSeconds, idleMemoryBytes, peakMemoryBytes }
}

/** The least squares line through (x, y), each point weighted by 1/y^2: relative errors count alike at every size. */
function lineThrough(points: readonly (readonly [number, number])[]): { offset: number; slope: number } {
  let [w, wx, wy, wxx, wxy] = [0, 0, 0, 0, 0]
  for (const [x, y] of points) {
    const weight = 1 / (y * y)
    w += weight
    wx += weight * x
    wy += weight * y
    wxx += weight * x * x
    wxy += weight * x * y
  }
  const slope = (w * wxy - wx * wy) / (w * wxx - wx * wx)
  return { offset: (wy - slope * wx) / w, slope }
}

function report(points: readonly Point[], name: string): string {
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)
  const time = lineThrough(points.map(({ devices, seconds }) => [devices, seconds]))
  const rows = points.map(
    ({ devices, seconds, bytes, cpuSeconds, idleMemoryBytes, peakMemoryBytes }) =>
      `| ${devices} | ${seconds.toFixed(1)} | ${(time.offset + time.slope * devices).toFixed(1)} | ${megabytes(bytes)} | ${megabytes(bytes / seconds)} | ${cpuSeconds.toFixed(1)} | ${megabytes(idleMemoryBytes)} | ${megabytes(peakMemoryBytes)} |`,
  )
  const perDevice = points.at(-1)!
  const cpuMs = (1000 * perDevice.cpuSeconds) / perDevice.devices
  const wanted = 1_000_000
  const hours = (time.offset + time.slope * wanted) / 3600
  return [
    `${name}, ${megabytes(file.length)} MB each, window ${values.window}, everybody at once; ${cpus()[0]?.model ?? 'unknown processor'}, broker and devices on ${cpus().length} cores.`,
    '',
    '| devices | s | line, s | MB in all | MB/s | CPU of the broker, s | its memory before, MB | at most, MB |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    `Seconds = ${time.offset.toFixed(2)} + ${(time.slope * 1000).toFixed(2)} x devices / 1,000; the broker spends ${cpuMs.toFixed(1)} ms of CPU on a device.`,
    `On paper, ${wanted.toLocaleString('en-US')} devices through this one broker would take ${hours.toFixed(1)} hours and ${((cpuMs * wanted) / 3.6e6).toFixed(1)} hours of its CPU.`,
  ].join('\n')
}

const broker = await kind.start(join(folder, 'broker'), new Software(values.keep))
const connection = new MqttConnection({ url: broker.urls[0]!, clientId: 'study' }, { logger: silentLogger })
try {
  await connection.start()
  await connection.requireOnline(30_000)
  const points: Point[] = []
  for (const [index, devices] of values.devices.split(',').map(Number).entries()) {
    points.push(await measure(broker, connection, devices, index + 1))
    console.log(JSON.stringify(points.at(-1)))
  }
  const text = report(points, `${kind.name} ${kind.version}`)
  console.log(text)
  if (values.page !== undefined) {
    const page = readFileSync(values.page, 'utf8')
    const [begin, end] = [`<!-- study ${kind.id} -->`, `<!-- /study ${kind.id} -->`]
    const [before, rest] = page.split(begin)
    const after = rest?.split(end)[1]
    if (before === undefined || after === undefined) throw new Error(`${values.page} has no place ${begin}`)
    writeFileSync(values.page, `${before}${begin}\n\n${text}\n\n${end}${after}`)
  }
} finally {
  for (const end of ends.reverse()) await end()
  await connection.stop()
  await broker.stop()
  rmSync(folder, { recursive: true, force: true })
}
