/** Commands of the product as processes of their own. Invariant: none outlives its test. */

import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { projectRoot } from './paths.js'

/** What ends what was started: a test, or anything else with an end. */
export interface Teardowns {
  teardown(end: () => unknown): void
}

export interface RunningCommand {
  /** What it has written so far. */
  stdout(): string
  stderr(): string
  /** Its exit status, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  kill(signal: NodeJS.Signals): void
}

const main = join(projectRoot, 'dist', 'src', 'cli', 'main.js')

/** Starts `yolo-edge ...args`; ends with the test at the latest. */
export function startCommand(
  t: Teardowns,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): RunningCommand {
  const child: ChildProcess = spawn(process.execPath, [main, ...args], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const texts = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => (texts[name] += text))
  }
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (status, signal) => {
      resolve(status ?? signal ?? -1)
    })
  })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    ended,
    kill: (signal) => child.kill(signal),
  }
}

/** Runs `yolo-edge ...args` to its end, or until `killWhen` becomes true: then it gets no chance to clean up. */
export async function runCommand(
  t: Teardowns,
  args: readonly string[],
  killWhen: () => boolean = () => false,
): Promise<{ readonly status: number | NodeJS.Signals; readonly stdout: string; readonly stderr: string }> {
  const command = startCommand(t, args)
  const timer = setInterval(() => {
    if (killWhen()) command.kill('SIGKILL')
  }, 2)
  const status = await command.ended
  clearInterval(timer)
  return { status, stdout: command.stdout(), stderr: command.stderr() }
}
