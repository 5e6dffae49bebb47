/**
 * A service manager for one service of `Type=notify` with a watchdog, as systemd.service(5) describes it: a service that has said
 * READY=1 and then says no WATCHDOG=1 for WatchdogSec gets SIGABRT, soon after SIGKILL, and is started anew however it ended.
 * Invariant: no process of the service outlives the test.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Teardowns } from './processes.js'
import { openNotifySocket } from './notify-socket.js'

const abortMs = 500
const restartMs = 200

export interface SupervisorOptions {
  /** WatchdogSec, milliseconds. */
  readonly watchdogMs: number
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
}

export class ServiceSupervisor {
  /** Times at which it was started, the watchdog expired, or it ended, milliseconds of performance.now(). */
  readonly startsMs: number[] = []
  readonly expiriesMs: number[] = []
  /** How often it has said that it is ready, and alive. */
  readyCount = 0
  pingCount = 0
  /** What its processes wrote; the last part. */
  said = ''
  readonly #args: readonly string[]
  readonly #env: NodeJS.ProcessEnv
  readonly #watchdogMs: number
  #child: ChildProcess | undefined
  #watchdog: NodeJS.Timeout | undefined
  #isStopping = false

  private constructor(args: readonly string[], env: NodeJS.ProcessEnv, watchdogMs: number) {
    this.#args = args
    this.#env = env
    this.#watchdogMs = watchdogMs
  }

  /** Starts Node.js with `args` as a service that ends with the test. */
  static async start(
    t: Teardowns,
    args: readonly string[],
    { watchdogMs, cwd, env = {} }: SupervisorOptions,
  ): Promise<ServiceSupervisor> {
    const socket = await openNotifySocket(t)
    const whole = {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      ...env,
      NOTIFY_SOCKET: socket.path,
      WATCHDOG_USEC: String(watchdogMs * 1000),
    }
    const supervisor = new ServiceSupervisor(args, whole, watchdogMs)
    socket.onAssignment((assignment) => {
      supervisor.#hear(assignment)
    })
    t.teardown(() => supervisor.#stop())
    void supervisor.#keep(cwd)
    return supervisor
  }

  /** The process id of the service. */
  get pid(): number {
    return this.#child!.pid!
  }

  async #keep(cwd: string): Promise<void> {
    while (!this.#isStopping) {
      const child = spawn(process.execPath, this.#args, {
        ...{ cwd, env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] },
      })
      this.#child = child
      this.startsMs.push(performance.now())
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => (this.said = (this.said + text).slice(-8000)))
      await once(child, 'exit')
      clearTimeout(this.#watchdog)
      await new Promise((resolve) => setTimeout(resolve, restartMs))
    }
  }

  #hear(assignment: string): void {
    if (assignment === 'READY=1') this.readyCount++
    else if (assignment === 'WATCHDOG=1') this.pingCount++
    else return
    clearTimeout(this.#watchdog)
    const child = this.#child
    this.#watchdog = setTimeout(() => {
      this.expiriesMs.push(performance.now())
      child?.kill('SIGABRT')
      setTimeout(() => child?.kill('SIGKILL'), abortMs)
    }, this.#watchdogMs)
  }

  async #stop(): Promise<void> {
    this.#isStopping = true
    clearTimeout(this.#watchdog)
    const child = this.#child
    if (child?.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}
