/**
 * Serves the page and what it should connect to; nothing else.
 * Invariant: only the files of the page leave it; every answer carries a content policy that allows the page's own files
 * and WebSockets, and nothing from anywhere else.
 */

import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createGzip } from 'node:zlib'
import { AgentError, messageOf, wrapError } from '../base/errors.js'
import type { Service } from '../base/lifecycle.js'

export interface PageServerOptions {
  /** 127.0.0.1 unless given: the page itself is public, its broker decides who reads. */
  readonly host?: string
  /** 0 for a free one. */
  readonly port: number
  /** Address of the broker's WebSocket listener that the page connects to at once; asked for on the page unless given. */
  readonly brokerUrl?: string
  readonly topicRoot: string
}

/** What the page is allowed to do: https://www.w3.org/TR/CSP3/. */
export const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self' ws: wss:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types link-worker',
].join('; ')

const files = new Map([
  ['/', { name: 'index.html', type: 'text/html; charset=utf-8' }],
  ['/page.js', { name: 'page.js', type: 'text/javascript; charset=utf-8' }],
  ['/link-worker.js', { name: 'link-worker.js', type: 'text/javascript; charset=utf-8' }],
  ['/page.css', { name: 'page.css', type: 'text/css; charset=utf-8' }],
])

const settingsPath = '/settings.json'
const folder = fileURLToPath(new URL('./page/', import.meta.url))

export class PageServer implements Service {
  readonly name = 'dashboard'
  readonly #options: PageServerOptions
  readonly #contents = new Map<string, Buffer>()
  #server: Server | undefined

  constructor(options: PageServerOptions) {
    this.#options = options
  }

  /** Throws `config.file_unreadable` where the page was not built, `cli.argument_invalid` for a port that is taken. */
  async start(): Promise<void> {
    for (const { name } of files.values()) {
      try {
        this.#contents.set(name, await readFile(`${folder}${name}`))
      } catch (thrown) {
        throw wrapError(thrown, 'config.file_unreadable', `cannot read ${name} of the dashboard`)
      }
    }
    const { brokerUrl, topicRoot, host = '127.0.0.1', port } = this.#options
    const settings = { ...(brokerUrl !== undefined && { broker: brokerUrl }), root: topicRoot }
    this.#contents.set(settingsPath, Buffer.from(JSON.stringify(settings)))
    const server = createServer((request, response) => {
      this.#answer(request, response)
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', (thrown) => {
        const problem = `cannot listen on ${host}:${port}: ${messageOf(thrown)}`
        reject(new AgentError('cli.argument_invalid', problem, { cause: thrown, hint: 'Use another --port' }))
      })
      server.listen(port, host, resolve)
    })
    this.#server = server
  }

  /** The address of the page; it is known only after `start`. */
  get url(): string {
    const { host = '127.0.0.1' } = this.#options
    const address = this.#server?.address() as AddressInfo | null | undefined
    return `http://${host.includes(':') ? `[${host}]` : host}:${address?.port ?? this.#options.port}/`
  }

  async stop(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '/').split('?', 1)[0]!
    const isSettings = path === settingsPath
    const file = isSettings ? { name: settingsPath, type: 'application/json' } : files.get(path)
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    response.setHeader('content-security-policy', contentPolicy)
    response.setHeader('x-content-type-options', 'nosniff')
    response.setHeader('referrer-policy', 'no-referrer')
    response.setHeader('cross-origin-opener-policy', 'same-origin')
    response.setHeader('cache-control', 'no-cache')
    if (file === undefined || !isRead) {
      response.writeHead(isRead ? 404 : 405, { 'content-type': 'text/plain' }).end()
      return
    }
    response.setHeader('content-type', file.type)
    const content = this.#contents.get(file.name)
    if (request.method === 'HEAD' || content === undefined) {
      response.end()
      return
    }
    if (/\bgzip\b/.test(String(request.headers['accept-encoding']))) {
      response.setHeader('content-encoding', 'gzip')
      const gzip = createGzip()
      gzip.pipe(response)
      gzip.end(content)
    } else response.end(content)
  }
}
