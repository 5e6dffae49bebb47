/** Messages of 24 MB on every topic that a device reads, by somebody without the key. */

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Metrics, parseMetrics } from '../../src/protocol/metrics.js'
import { AgentLab, labDevice } from '../helpers/agent-lab.js'
import { Mosquitto, skipWithoutMosquitto } from '../helpers/mosquitto.js'
import { projectRoot } from '../helpers/paths.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

const hostileBytes = 24 * 1024 ** 2
const growthMaxMb = 30
/** Slots of a frame ring, whose frames are under way. */
const frameSlots = 8
const other = join(projectRoot, 'models', 'parts', 'parts-int8.onnx')

t.test(
  'they cost no frame and no memory to speak of, also where the broker keeps them',
  { skip: skipWithoutMosquitto() },
  async (t) => {
    const folder = temporaryFolder(t, {}, ['broker'])
    const broker = await Mosquitto.start({ folder: join(folder, 'broker') })
    t.teardown(() => broker.stop())
    // 3.1.1: the device cannot tell the broker how much it takes.
    const lab = await AgentLab.start({ brokerUrl: broker.url, settings: { 'broker.protocol_version': 4 } })
    t.teardown(() => lab.stop())
    let metrics: Metrics | undefined
    lab.viewer.subscribe([lab.topics.deviceState(labDevice, 'metrics')], 0, ({ payload }) => {
      metrics = parseMetrics(payload)
    })
    await lab.publish('1.0.0')
    await lab.wish('1.0.0')
    const child = spawn(
      process.execPath,
      [join(projectRoot, 'dist', 'src', 'cli', 'main.js'), ...lab.runArguments],
      {
        stdio: 'ignore',
      },
    )
    const exited = new Promise((resolve) => child.once('exit', resolve))
    t.teardown(async () => {
      child.kill('SIGKILL')
      await exited
    })
    await lab.untilServing('1.0.0')
    const residentMb = (): number =>
      Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1000
    const before = residentMb()
    let peak = before
    const watch = setInterval(() => {
      peak = Math.max(peak, residentMb())
    }, 10)
    t.teardown(() => {
      clearInterval(watch)
    })

    const nested = Buffer.concat([Buffer.alloc(hostileBytes / 2, '['), Buffer.alloc(hostileBytes / 2, ']')])
    const { topics } = lab
    const { variants } = await lab.publish('2.0.0', [other])
    const chunk = variants[0]!.artefact.blob.sha256
    const hostile = [
      topics.deviceDesired(labDevice),
      topics.channelDesired(lab.channel),
      topics.command(labDevice, 'deployments'),
      topics.manifest('parts', '3.0.0'),
      topics.chunk(chunk, 0),
    ]
    const attack = async (topic: string): Promise<void> => {
      for (let attempt = 0; attempt < 20; attempt++) {
        const { status } = await lab.viewer.publish(topic, nested, { qos: 1, retain: true })
        if (status === 'sent') return
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
      throw new Error(`the broker does not take the message for ${topic}`)
    }
    for (const topic of hostile) await attack(topic)
    // Now the device reads the manifest and the chunks, too.
    for (const version of ['3.0.0', '2.0.0']) {
      await lab.wish(version)
      await lab.until(`${version} is looked at`, ({ deployment }) => deployment?.version === version)
      await attack(topics.channelDesired(lab.channel))
    }
    await lab.until('a wish is heard', () => true)
    const seen = lab.observed.frames
    await lab.until('frames go on', ({ frames }) => frames > seen + 20)
    const counted = metrics?.sequence ?? 0
    await lab.until('figures come', () => (metrics?.sequence ?? 0) > counted + 1)

    t.ok(peak - before < growthMaxMb, `${before.toFixed(0)} MB before, at most ${peak.toFixed(0)} MB`)
    const [front] = metrics?.cameras ?? []
    const left = front!.captured - front!.processed - front!.dropped
    t.equal(front!.errors, 0)
    t.ok(left >= 0 && left <= frameSlots, `${left} of ${front!.captured} frames are under way`)
    t.equal(metrics?.reconnects, 0)
    t.equal(lab.observed.reported?.active?.version, '1.0.0')
    t.equal(child.exitCode, null)
  },
)
