/**
 * A page in a browser that nobody listens in on: developer tools hear every message of a page, which takes more time than the page does.
 * A script runs in the page and sends back one result.
 * Invariant: after close() the browser, its processes and its folder are gone.
 */

import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { chromiumPath } from './chromium.js'

export interface UnwatchedPage {
  /** What the script gave, as JSON made it. Rejects when the browser ended before. */
  readonly result: Promise<unknown>
  /** Memory of the process of the page, bytes: its own, and with its share in what processes have in common. */
  memory(): { readonly own: number; readonly withShare: number }
  close(): Promise<void>
}

/** Opens the page at `url` with `script` in it: the text of an async function without parameters. */
export async function openUnwatched(url: string, script: string): Promise<UnwatchedPage> {
  const folder = mkdtempSync(join(tmpdir(), 'yolo-edge-chromium-'))
  const results = new EventEmitter()
  const result = once(results, 'result').then(([value]: unknown[]) => value)
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/script.js') {
      response.setHeader('content-type', 'text/javascript')
      const send = `(value) => fetch('result', { method: 'POST', body: JSON.stringify(value) })`
      response.end(`(${script})().then(${send})`)
    } else if (request.url === '/result') {
      results.emit('result', JSON.parse(await text(request)))
      response.end()
    } else {
      const original = await fetch(new URL(request.url ?? '/', url))
      response.setHeader('content-type', original.headers.get('content-type') ?? '')
      const content = Buffer.from(await original.arrayBuffer())
      const isDocument = request.url === '/'
      response.end(
        isDocument
          ? content.toString().replace('</body>', '<script src="script.js"></script></body>')
          : content,
      )
    }
  }
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const own = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const browser = spawn(
    chromiumPath,
    [
      '--headless',
      '--no-sandbox',
      '--no-first-run',
      '--disable-background-networking',
      '--hide-scrollbars',
      '--window-size=1280,800',
      `--user-data-dir=${folder}`,
      own,
    ],
    // A group of its own, so that all its processes can be found and ended.
    { stdio: 'ignore', detached: true },
  )
  const ended = new Promise<void>((done) =>
    browser.once('close', () => {
      done()
    }),
  )
  void ended.then(() => {
    if (results.listenerCount('result') > 0)
      results.emit('error', new Error('the browser ended before its script had'))
  })
  return {
    result,
    memory: () => {
      const pids = renderersOf(browser.pid!)
      return {
        own: Math.max(...pids.map(privateBytesOf)),
        withShare: Math.max(...pids.map(proportionalBytesOf)),
      }
    },
    close: async () => {
      process.kill(-browser.pid!, 'SIGKILL')
      await ended
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Memory that would come back if the process ended. */
export function privateBytesOf(pid: number): number {
  return mappedBytes(pid, /^Private_\w+:\s+(\d+) kB/gm)
}

/** The same, and the share of the process in what it has in common with others, such as the code of the browser. */
function proportionalBytesOf(pid: number): number {
  return mappedBytes(pid, /^Pss:\s+(\d+) kB/gm)
}

function mappedBytes(pid: number, lines: RegExp): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return 1024 * [...rollup.matchAll(lines)].reduce((sum, [, kB]) => sum + Number(kB), 0)
}

/** The processes of a group that draw pages. */
function renderersOf(group: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        // What follows the name in parentheses: state, parent, group.
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
        return (
          Number(stat[2]) === group &&
          readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--type=renderer')
        )
      } catch {
        return false
      }
    })
    .map(Number)
}
