import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { silentLogger } from '../../src/base/logger.js'
import { MetricsServer, type MetricsServerOptions } from '../../src/telemetry/metrics-server.js'

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const options: Omit<MetricsServerOptions, 'port'> = {
  text: () => Promise.resolve({ body: 'figures\n', contentType: 'text/plain; version=0.0.4' }),
  stuckReason: () => undefined,
  logger: silentLogger,
}

t.test('figures, health, and nothing else', async (t) => {
  const port = await freePort()
  const life: { reason?: string } = {}
  const server = new MetricsServer({ ...options, port, stuckReason: () => life.reason })
  await server.start()
  t.teardown(() => server.stop())
  const ask = (path: string, method = 'GET'): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}${path}`, { method })
  const figures = await ask('/metrics?name[]=x')
  t.equal(await figures.text(), 'figures\n')
  t.match(figures.headers.get('content-type'), /version=0\.0\.4/)
  const healthy = await ask('/healthz')
  t.same([healthy.status, await healthy.text()], [200, 'ok\n'])
  life.reason = 'a frame is with the model for 30 s'
  const stuck = await ask('/healthz')
  t.same([stuck.status, await stuck.text()], [503, 'a frame is with the model for 30 s\n'])
  t.equal((await ask('/')).status, 404)
  t.equal((await ask('/metrics', 'POST')).status, 405)
})

t.test('a port that is taken is told, and costs the figures only', async (t) => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const told: object[] = []
  const logger = { ...silentLogger, error: (fields: object) => told.push(fields) }
  const server = new MetricsServer({ ...options, port, logger })
  await server.start()
  t.match(told, [
    { code: 'config.value_invalid', reason: /cannot serve metrics on 127\.0\.0\.1:\d+: .*free port/ },
  ])
  await server.stop()
})
