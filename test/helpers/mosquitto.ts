/** A real Mosquitto on a free loopback port with its own folder. Invariant: stop() leaves no process behind. */

import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createServer, connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const searchPath = `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin`

/** The reason to skip a test that needs Mosquitto, or false where it is installed. */
export function skipWithoutMosquitto(): string | false {
  const { error } = spawnSync('mosquitto', ['-h'], { env: { PATH: searchPath } })
  return error === undefined ? false : 'mosquitto is not installed'
}

/** A port of loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Whether something listens on a port of loopback. */
export async function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })
}

export interface MosquittoOptions {
  /** An empty folder for configuration and persistence, such as t.testdir(). */
  readonly folder: string
  /** Lets nobody in without an account; open to everybody unless given. */
  readonly isClosed?: boolean
  /** Further lines of the configuration file. */
  readonly lines?: readonly string[]
  /** Takes the place of the whole configuration; gets the port of the listener that `url` names. */
  readonly configuration?: (port: number) => string
  /** Keeps retained messages over a restart. */
  readonly isPersistent?: boolean
  /** Lines of a second listener, which listens for MQTT over WebSocket. */
  readonly hasWebSocket?: boolean
}

export class Mosquitto {
  readonly port: number
  readonly webSocketPort: number
  readonly #configFile: string
  #process: ChildProcess | undefined

  private constructor(port: number, webSocketPort: number, configFile: string) {
    this.port = port
    this.webSocketPort = webSocketPort
    this.#configFile = configFile
  }

  static async start(options: MosquittoOptions): Promise<Mosquitto> {
    const port = await freePort()
    const webSocketPort = options.hasWebSocket === true ? await freePort() : 0
    const configFile = join(options.folder, 'mosquitto.conf')
    const lines = [
      `listener ${port} 127.0.0.1`,
      `allow_anonymous ${options.isClosed === true ? 'false' : 'true'}`,
      `persistence ${options.isPersistent === true ? 'true' : 'false'}`,
      `persistence_location ${options.folder}/`,
      'autosave_interval 1',
      'autosave_on_changes true',
      'set_tcp_nodelay true',
      'user root',
      ...(options.hasWebSocket === true
        ? [`listener ${webSocketPort} 127.0.0.1`, 'protocol websockets']
        : []),
      ...(options.lines ?? []),
    ]
    writeFileSync(configFile, options.configuration?.(port) ?? `${lines.join('\n')}\n`)
    const broker = new Mosquitto(port, webSocketPort, configFile)
    await broker.run()
    return broker
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`
  }

  /** Starts the process (again) and waits until it listens. */
  async run(): Promise<void> {
    this.#process = spawn('mosquitto', ['-c', this.#configFile], {
      env: { PATH: searchPath },
      stdio: 'ignore',
    })
    for (let attempt = 0; attempt < 200; attempt++) {
      if (await isOpen(this.port)) return
      await delay(25)
    }
    await this.kill('SIGKILL')
    throw new Error('mosquitto did not listen within 5 s')
  }

  /** Ends the process with `signal` and waits for its end. */
  async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child?.exitCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }

  async stop(): Promise<void> {
    await this.kill('SIGKILL')
  }
}
