/**
 * A page in a browser that nobody listens in on: developer tools hear every message of a page, which takes more time than the page does.
 * A script runs in the page and sends back one result.
 * Invariant: after close() the browser, its processes and its folder are gone; nothing is awaited without a limit.
 */

import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { chromiumPath } from './chromium.js'

export interface UnwatchedPage {
  /** What the script gave, as JSON made it. Rejects when it threw, the browser ended before, or the limit was over. */
  readonly result: Promise<unknown>
  /** Memory of the process of the page, bytes: its own, and with its share in what processes have in common. */
  memory(): { readonly own: number; readonly withShare: number }
  close(): Promise<void>
}

const endLimitMs = 20_000

/**
 * Opens the page at `url` with `script` in it: the text of an async function without parameters, which has `limitMs` from now to
 * give its result.
 */
export async function openUnwatched(url: string, script: string, limitMs: number): Promise<UnwatchedPage> {
  const folder = mkdtempSync(join(tmpdir(), 'yolo-edge-chromium-'))
  const page = new ScriptedPage(url, script)
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
      await page.serve(),
    ],
    // A group of its own, so that all its processes can be found and ended.
    { stdio: 'ignore', detached: true },
  )
  const ended = new Promise<void>((done) => {
    browser.once('error', (error) => {
      page.fail(error)
      done()
    })
    browser.once('close', () => {
      page.fail(new Error(`the browser ended while the bench waited for ${page.awaited}`))
      done()
    })
  })
  const result = within(limitMs, page.result, () => page.awaited)
  // Whoever opened the page may look at its result later.
  result.catch(() => undefined)
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
      try {
        process.kill(-browser.pid!, 'SIGKILL')
      } catch {
        // All of them have ended already.
      }
      await within(endLimitMs, ended, () => 'the browser to end')
      await within(endLimitMs, page.stop(), () => 'the server of the page to end')
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** What `promise` gives; rejects with what was awaited when that takes longer than `limitMs`. */
async function within<T>(limitMs: number, promise: Promise<T>, awaited: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`waited ${(limitMs / 1000).toFixed(0)} s in vain for ${awaited()}`))
    }, limitMs)
  })
  try {
    return await Promise.race([promise, limit])
  } finally {
    clearTimeout(timer)
  }
}

/** Serves the page at an address with a script in it, and hears what the script gives. */
class ScriptedPage {
  readonly result: Promise<unknown>
  /** What comes next, in words. */
  awaited: string
  /** Ends the wait for the result; does nothing once there is one. */
  readonly fail: (error: Error) => void
  readonly #url: string
  readonly #script: string
  readonly #server: Server
  readonly #succeed: (value: unknown) => void

  constructor(url: string, script: string) {
    this.#url = url
    this.#script = script
    this.awaited = `the browser to open ${url}`
    let [succeed, fail]: [(value: unknown) => void, (error: Error) => void] = [
      () => undefined,
      () => undefined,
    ]
    this.result = new Promise((resolve, reject) => {
      succeed = resolve
      fail = reject
    })
    this.#succeed = succeed
    this.fail = fail
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy())
    })
  }

  /** Starts to serve; the address. */
  async serve(): Promise<string> {
    await new Promise<void>((listening) => this.#server.listen(0, '127.0.0.1', listening))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((closed) => this.#server.close(closed))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/'
    if (path === '/script.js') {
      this.awaited = `the result of the script in ${this.#url}`
      response.setHeader('content-type', 'text/javascript')
      const send = `(path, value) => fetch(path, { method: 'POST', body: JSON.stringify(value) })`
      response.end(
        `{ const send = ${send}; (${this.#script})().then((value) => send('result', value), (thrown) => send('thrown', String(thrown))) }`,
      )
    } else if (path === '/result' || path === '/thrown') {
      const value: unknown = JSON.parse(await text(request))
      if (path === '/result') this.#succeed(value)
      else this.fail(new Error(`the script in ${this.#url} threw ${String(value)}`))
      response.end()
    } else await this.#pass(path, response)
  }

  async #pass(path: string, response: ServerResponse): Promise<void> {
    const original = await fetch(new URL(path, this.#url))
    response.setHeader('content-type', original.headers.get('content-type') ?? '')
    const content = Buffer.from(await original.arrayBuffer())
    if (path !== '/') response.end(content)
    else response.end(content.toString().replace('</body>', '<script src="script.js"></script></body>'))
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
