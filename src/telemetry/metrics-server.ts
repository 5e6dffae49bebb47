/**
 * Answers Prometheus and health checks of this machine over HTTP.
 *
 *     GET /metrics    the figures as text
 *     GET /healthz    200 and ok, or 503 and the reason why the agent is to be started anew
 *
 * Invariant: listens on loopback only: nothing here asks who reads; a port that is taken costs the figures, not the agent.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { AgentError, messageOf } from '../base/errors.js'
import type { Service } from '../base/lifecycle.js'
import type { Logger } from '../base/logger.js'

export interface MetricsServerOptions {
  readonly port: number
  text(): Promise<{ readonly body: string; readonly contentType: string }>
  /** Why the agent is to be started anew, in one sentence; undefined while it lives. */
  stuckReason(): string | undefined
  readonly logger: Logger
}

const host = '127.0.0.1'

export class MetricsServer implements Service {
  readonly name = 'metrics server'
  readonly #options: MetricsServerOptions
  #server: Server | undefined

  constructor(options: MetricsServerOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { port, logger } = this.#options
    const server = createServer((request, response) => {
      this.#answer(request, response).catch((thrown: unknown) => {
        logger.warn({ reason: messageOf(thrown) }, 'metrics could not be told')
        response.writeHead(500).end()
      })
    })
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, resolve)
      })
      this.#server = server
    } catch (thrown) {
      const problem = `cannot serve metrics on ${host}:${port}: ${messageOf(thrown)}; expected a free port in telemetry.prometheus_port`
      const error = new AgentError('config.value_invalid', problem, { cause: thrown })
      logger.error({ code: error.code, reason: error.message }, 'no metrics for Prometheus')
    }
  }

  async stop(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }

  async #answer({ method, url }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (method !== 'GET' && method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end()
      return
    }
    const path = (url ?? '').replace(/\?.*$/, '')
    if (path === '/metrics') {
      const { body, contentType } = await this.#options.text()
      response.writeHead(200, { 'content-type': contentType }).end(body)
    } else if (path === '/healthz') {
      const reason = this.#options.stuckReason()
      const head = { 'content-type': 'text/plain; charset=utf-8' }
      response.writeHead(reason === undefined ? 200 : 503, head).end(`${reason ?? 'ok'}\n`)
    } else response.writeHead(404).end()
  }
}
