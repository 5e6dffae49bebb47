/**
 * Cameras whose passwords must not be seen: not in what a command says, not in the arguments of any process.
 * Invariant: each password stands between two marks, so that a part of it that is seen counts as well.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { seededRandom } from '../../src/base/random.js'
import { projectRoot } from './paths.js'
import type { Teardowns } from './processes.js'

const main = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
const [openMark, closeMark] = ['ZqX', 'XqZ']

/** Passwords of printable ASCII characters, the same in each run. */
export function randomPasswords(count: number): readonly string[] {
  const random = seededRandom(7)
  const letter = (): string => String.fromCharCode(32 + random.integer(95))
  return Array.from(
    { length: count },
    () => `${openMark}${Array.from({ length: 3 + random.integer(10) }, letter).join('')}${closeMark}`,
  )
}

/** Every place of `text` that shows a password or a part of it, with what stands around it. */
export function passwordsSeenIn(text: string): readonly string[] {
  return [...text.matchAll(new RegExp(`.{0,60}(?:${openMark}|${closeMark}).{0,60}`, 'gs'))].map(
    ([place]) => place,
  )
}

/** A server that takes connections, counts them, and says nothing: programs are there to be looked at until it hangs up. */
export async function startMuteServer(t: Teardowns, hangUpMs = 700): Promise<{ readonly port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    setTimeout(() => {
      socket.destroy()
    }, hangUpMs)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { port: (server.address() as AddressInfo).port }
}

/** How the arguments of a command begin: what was typed stands there, in those of its copies too, until each becomes its program. */
const typed = `${process.execPath}\0${main}\0`

/** The arguments of every process of this machine but those that were typed. */
function argumentsOfAll(): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        const line = readFileSync(join('/proc', name, 'cmdline'), 'utf8')
        return line.startsWith(typed) ? '' : line
      } catch {
        // It ended while we looked.
        return ''
      }
    })
    .join('\n')
}

export interface WatchedRun {
  /** All that the command said, on both streams. */
  readonly said: string
  /** The arguments of whatever ran beside it, of its own children too. */
  readonly seen: string
  readonly status: number | null
}

/** Runs `yolo-edge ...args` to its end, or until `isEnough` says of what it has said: then it is told to stop. */
export async function watchRun(
  args: readonly string[],
  isEnough: (said: string) => boolean = () => false,
): Promise<WatchedRun> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const programs = new Set<string>()
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  const watch = setInterval(() => {
    for (const line of argumentsOfAll().split('\n')) programs.add(line)
    if (isEnough(said)) child.kill('SIGTERM')
  }, 15)
  const [status] = (await once(child, 'close')) as [number | null]
  clearInterval(watch)
  return { said, seen: [...programs].join('\n'), status }
}
