/**
 * An agent that runs in a Debian root, and a fleet for it: a broker in this process, a model that is published, detections that
 * are waited for. Invariant: the agent runs as the user of its service; nothing of the fleet leaves loopback.
 */

import { type ChildProcess, execFile } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { systemClock } from '../../src/base/clock.js'
import { silentLogger } from '../../src/base/logger.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import { EmbeddedBroker } from '../../src/transport/embedded-broker.js'
import { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { projectRoot } from '../helpers/paths.js'
import type { DebianRoot } from './root.js'

const limitMs = 300_000
const device = 'clean-root'

export class ServedDevice {
  readonly #root: DebianRoot
  readonly #broker: EmbeddedBroker
  readonly #connection: MqttConnection
  #detections = 0

  private constructor(root: DebianRoot, broker: EmbeddedBroker, connection: MqttConnection) {
    this.#root = root
    this.#broker = broker
    this.#connection = connection
    connection.subscribe([topicsBelow('yolo-edge/v2').detections(device, 'belt')], 0, () => {
      this.#detections++
    })
  }

  /** `picture` is what its camera sees. */
  static async start(root: DebianRoot, picture: string): Promise<ServedDevice> {
    cpSync(picture, join(root.folder, 'opt/camera.png'))
    const broker = new EmbeddedBroker()
    await broker.start()
    const connection = new MqttConnection({ url: broker.url, clientId: 'observer' }, { logger: silentLogger })
    await connection.start()
    return new ServedDevice(root, broker, connection)
  }

  /** Sets the device up as an administrator would; `file` is its settings as its root sees them. */
  async setUp(file: string): Promise<void> {
    const unusual = [
      'security: { allow_unsigned: true }',
      'selection: { trial_runs: 5 }',
      'acceptance: { soak_s: 0 }',
    ]
    writeFileSync(join(this.#root.folder, file), `${unusual.join('\n')}\n`)
    const answers = ['--broker', this.#broker.url, '--device', device, '--camera', 'belt=/opt/camera.png']
    const setup = this.#root.start('yolo-edge', 'setup', ...answers)
    const words = lastWordsOf(setup)
    const [status] = (await once(setup, 'exit')) as [number | null]
    if (status !== 0) throw new Error(`setup ended with ${status}: ${words()}`)
  }

  /** Starts the agent, publishes a model if asked to, waits for a detection, ends the agent. Returns the seconds from its start. */
  async serve(what: 'publish' | 'nothing'): Promise<number> {
    const folder = 'install -d -o yolo-edge -g yolo-edge -m 750 /var/lib/yolo-edge'
    const user = 'setpriv --reuid yolo-edge --regid yolo-edge --init-groups'
    const command = `${folder} && exec ${user} yolo-edge run --config /etc/yolo-edge/device.yaml`
    this.#detections = 0
    const startMs = systemClock.monotonicMs()
    const agent = this.#root.start('sh', '-c', command)
    const words = lastWordsOf(agent)
    try {
      if (what === 'publish') await this.#publish()
      while (this.#detections === 0) {
        await systemClock.sleep(20)
        if (agent.exitCode !== null || systemClock.monotonicMs() - startMs > limitMs)
          throw new Error(`no detection from the installed agent: ${words()}`)
      }
      return (systemClock.monotonicMs() - startMs) / 1000
    } finally {
      agent.kill('SIGTERM')
      if (agent.exitCode === null) await once(agent, 'exit')
    }
  }

  /** Not synchronously: the broker lives in this process. */
  async #publish(): Promise<void> {
    const program = join(projectRoot, 'dist/src/cli/main.js')
    const model = join(projectRoot, 'models/parts/parts.onnx')
    const args = [program, 'publish', model, '--unsigned', '--broker', this.#broker.url]
    await promisify(execFile)(process.execPath, args)
  }

  async stop(): Promise<void> {
    await this.#connection.stop()
    await this.#broker.stop()
  }
}

function lastWordsOf(child: ChildProcess): () => string {
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (part: string) => (text = (text + part).slice(-2000)))
  return () => text
}
