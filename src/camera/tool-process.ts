/**
 * External programs: ffmpeg, ffprobe, rpicam-vid, gst-launch-1.0.
 * Invariant: a program that was started has ended when stop() resolves, and its last words are kept for the error.
 */

import type { ChildProcess, StdioOptions } from 'node:child_process'
import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { redactText } from '../base/address.js'
import type { Clock } from '../base/clock.js'
import { AgentError, messageOf, systemCodeOf } from '../base/errors.js'

/** A program and its arguments; no shell is involved. Every user of the machine can read the arguments. */
export interface ToolCommand {
  readonly command: ToolName
  /** Holds no secret. */
  readonly args: readonly string[]
  /** What the program reads on its stdin; for what others must not read. Absent: whatever `start` connects there. */
  readonly script?: string
  /** Texts that are left out of what the program says. */
  readonly secrets?: readonly string[]
}

/** Program -> the Debian, Ubuntu and Raspberry Pi OS package that has it. */
const packageOf = {
  ffmpeg: 'ffmpeg',
  ffprobe: 'ffmpeg',
  fswebcam: 'fswebcam',
  'rpicam-vid': 'rpicam-apps',
  'gst-launch-1.0': 'gstreamer1.0-tools',
} as const

export type ToolName = keyof typeof packageOf

const termToKillMs = 2000
const tailCharactersMax = 2000

/** The error for a program that is not installed. */
export function toolMissing(tool: ToolName, cause?: unknown): AgentError {
  const name = packageOf[tool]
  return new AgentError(
    'resource.tool_missing',
    `cannot run ${tool}: it is not installed (apt install ${name})`,
    {
      cause,
      hint: `Install it: sudo apt install ${name}`,
    },
  )
}

/** How a program ended. */
export interface ToolExit {
  /** 0..255, or undefined when a signal ended it. */
  readonly code: number | undefined
  readonly signal: NodeJS.Signals | undefined
}

export class ToolProcess {
  readonly command: ToolName
  /** Resolves when the program has ended and its streams are closed; never rejects. */
  readonly exited: Promise<ToolExit>
  readonly #child: ChildProcess
  readonly #clock: Clock
  readonly #secrets: readonly string[]
  #tail = ''

  private constructor({ command, secrets = [] }: ToolCommand, child: ChildProcess, clock: Clock) {
    this.command = command
    this.#secrets = secrets
    this.#child = child
    this.#clock = clock
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#tail = (this.#tail + text).slice(-tailCharactersMax)
    })
    this.exited = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        resolve({ code: code ?? undefined, signal: signal ?? undefined })
      })
    })
  }

  /**
   * Starts a program; its stderr is kept. Resolves when it runs; rejects with `resource.tool_missing`, or
   * `camera.open_failed` when the system refuses to start it.
   */
  static async start(
    toolCommand: ToolCommand,
    streams: { readonly stdin: 'ignore' | Socket; readonly stdout: 'pipe' | Socket },
    clock: Clock,
  ): Promise<ToolProcess> {
    const { command, args, script } = toolCommand
    const stdio: StdioOptions = [script === undefined ? streams.stdin : 'pipe', streams.stdout, 'pipe']
    const child = spawn(command, args, { stdio, windowsHide: true })
    const tool = new ToolProcess(toolCommand, child, clock)
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    }).catch((thrown: unknown) => {
      if (systemCodeOf(thrown) === 'ENOENT') throw toolMissing(command, thrown)
      throw new AgentError('camera.open_failed', `cannot start ${command}: ${messageOf(thrown)}`, {
        cause: thrown,
      })
    })
    // A failing kill or write is of no interest once the program runs: `exited` tells how it ended.
    child.on('error', () => undefined)
    child.stdin?.on('error', () => undefined).end(script)
    return tool
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** What the program writes, when it was started with stdout `pipe`. */
  get stdout(): Readable | null {
    return this.#child.stdout
  }

  /** The last lines of stderr on one line, without credentials; empty when it said nothing. */
  lastWords(lineCount = 3): string {
    const lines = redactText(this.#tail, this.#secrets)
      .split(/[\r\n]+/)
      .map((line) => line.replace(/^\[([^\]@]+?)\s*@ 0x[0-9a-f]+\]\s*/, '$1: ').trim())
      .filter((line) => line !== '')
    return [...new Set(lines)].slice(-lineCount).join('; ')
  }

  /** Waits until the program has ended by itself, for `graceMs` at the most; then stops it. */
  async finish(graceMs: number): Promise<ToolExit> {
    const gone = new AbortController()
    const exited = this.exited.then((exit) => {
      gone.abort()
      return exit
    })
    await Promise.race([exited, this.#clock.sleep(graceMs, gone.signal)])
    if (!gone.signal.aborted) await this.stop()
    return exited
  }

  /** Ends the program: SIGTERM, and SIGKILL if it has not gone after two seconds. Resolves when it has gone. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGTERM')
    const gone = new AbortController()
    const exited = this.exited.then(() => {
      gone.abort()
    })
    await Promise.race([exited, this.#clock.sleep(termToKillMs, gone.signal)])
    if (!gone.signal.aborted) this.#child.kill('SIGKILL')
    await exited
  }
}
