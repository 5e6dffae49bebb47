/**
 * One broker process, and brokers made of several.
 * Invariant: every process is started by this file and ended by its own id; a stopped broker leaves none behind.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { isOpen } from '../helpers/mosquitto.js'

/** How one process is started. */
export interface NodeSpec {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** The loopback port on which it speaks MQTT; undefined for a helper that no client talks to. */
  readonly port?: number
  /** Where its output goes. */
  readonly logFile: string
}

/** How long a broker may take until it listens: virtual machines of Java and Erlang on a busy machine. */
const startLimitMs = 120_000
/** How long a broker may take to end after it was asked to. */
const stopLimitMs = 10_000

/** A process that can be started again after it was ended. */
export class BrokerNode {
  readonly spec: NodeSpec
  #child: ChildProcess | undefined

  constructor(spec: NodeSpec) {
    this.spec = spec
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null
  }

  /** Starts the process; with `isAwaited`, resolves when it listens. Rejects with the end of its log otherwise. */
  async start(isAwaited = true): Promise<void> {
    const { command, args, env, cwd, port, logFile } = this.spec
    const log = openSync(logFile, 'a')
    this.#child = spawn(command, [...args], {
      env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, HOME: process.env['HOME'], ...env },
      stdio: ['ignore', log, log],
      ...(cwd !== undefined && { cwd }),
    })
    closeSync(log)
    if (port === undefined || !isAwaited) return
    await this.requireListening()
  }

  /** Resolves when the port accepts connections; rejects with the end of the log when the process ended or is too late. */
  async requireListening(): Promise<void> {
    const deadlineMs = performance.now() + startLimitMs
    while (performance.now() < deadlineMs) {
      if (await isOpen(this.spec.port!)) return
      if (!this.isRunning) break
      await delay(100)
    }
    const log = readFileSync(this.spec.logFile, 'utf8').slice(-600)
    throw new Error(`${this.spec.command} does not listen on port ${this.spec.port}:\n${log}`)
  }

  /** Ends the process and what it has started, and waits for its end. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === undefined || !this.isRunning) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    const family = child.pid === undefined ? [] : descendantsOf(child.pid)
    // A script that waits for its program ends with it; ended before it, it would leave the program unwaited for.
    for (const pid of family) signalProcess(pid, signal)
    if (family.length === 0) child.kill(signal)
    const limit = new AbortController()
    const isLate = delay(stopLimitMs, true, { signal: limit.signal }).catch(() => false)
    if ((await Promise.race([ended, isLate])) === true) {
      for (const pid of family) signalProcess(pid, 'SIGKILL')
      child.kill('SIGKILL')
    }
    limit.abort()
    await ended
  }
}

/** A broker of one or more nodes, and the helpers that it needs. */
export class RunningBroker {
  readonly nodes: readonly BrokerNode[]
  readonly #helpers: readonly BrokerNode[]
  /** Whether every node hands out what is retained on any. */
  readonly sharesRetained: boolean
  /** Goes when the broker has ended. */
  #folder: string | undefined

  constructor(nodes: readonly BrokerNode[], helpers: readonly BrokerNode[] = [], sharesRetained = true) {
    this.nodes = nodes
    this.#helpers = helpers
    this.sharesRetained = sharesRetained
  }

  /** Makes `folder`, where the nodes keep their files, go with the broker; returns this. */
  alsoRemoving(folder: string): this {
    this.#folder = folder
    return this
  }

  /** The address of each node. */
  get urls(): readonly string[] {
    return this.nodes.map(({ spec }) => `mqtt://127.0.0.1:${spec.port!}`)
  }

  get ports(): readonly number[] {
    return this.nodes.map(({ spec }) => spec.port!)
  }

  /** Resident memory of all nodes, bytes; their children, such as a virtual machine behind a script, included. */
  residentBytes(): number {
    return this.nodes.reduce((sum, { pid }) => sum + (pid === undefined ? 0 : residentBytesOf(pid)), 0)
  }

  /** CPU time of all nodes and their children so far, milliseconds. */
  cpuMs(): number {
    return this.nodes.reduce((sum, { pid }) => sum + (pid === undefined ? 0 : cpuMsOf(pid)), 0)
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.end('SIGKILL')))
    await Promise.all(this.#helpers.map((node) => node.end('SIGKILL')))
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

function residentBytesOf(pid: number): number {
  const status = readProc(pid, 'status')
  const kilobytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0)
  return childrenOf(pid).reduce((sum, child) => sum + residentBytesOf(child), kilobytes * 1024)
}

/** Fields 14 and 15 of /proc/PID/stat are user and system time in ticks of 10 ms (proc(5)). */
function cpuMsOf(pid: number): number {
  const fields = readProc(pid, 'stat').split(') ')[1]?.split(' ') ?? []
  const ticks = Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
  return childrenOf(pid).reduce((sum, child) => sum + cpuMsOf(child), ticks * 10)
}

function childrenOf(pid: number): readonly number[] {
  return readProc(pid, `task/${pid}/children`)
    .split(' ')
    .filter((text) => text !== '')
    .map(Number)
}

/** All processes below one, such as the virtual machine that a script has started. */
function descendantsOf(pid: number): readonly number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)])
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended by itself.
  }
}

function readProc(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    // The process has ended.
    return ''
  }
}
