import { gunzipSync } from 'node:zlib'
import { request } from 'node:http'
import t, { type Test } from 'tap'
import { contentPolicy, PageServer } from '../../src/dashboard/page-server.js'

interface Answer {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Buffer
}

/** A plain request: fetch would normalise paths and undo gzip. */
function ask(
  url: string,
  path: string,
  method = 'GET',
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    request({ hostname, port, path, method, headers }, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () => {
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces) })
      })
    })
      .on('error', reject)
      .end()
  })
}

async function served(t: Test, brokerUrl?: string): Promise<string> {
  const server = new PageServer({
    port: 0,
    topicRoot: 'yolo-edge/v2',
    ...(brokerUrl !== undefined && { brokerUrl }),
  })
  await server.start()
  t.teardown(() => server.stop())
  return server.url
}

t.test('the page, its script and its style are served, packed, under a strict policy', async (t) => {
  const url = await served(t)
  let packedBytes = 0
  for (const [path, type] of [
    ['/', 'text/html'],
    ['/page.js', 'text/javascript'],
    ['/link-worker.js', 'text/javascript'],
    ['/page.css', 'text/css'],
  ] as const) {
    const plain = await ask(url, path)
    t.equal(plain.status, 200)
    t.match(plain.headers, {
      'content-type': new RegExp(`^${type}`),
      'content-security-policy': contentPolicy,
      'x-content-type-options': 'nosniff',
    })
    const packed = await ask(url, path, 'GET', { 'accept-encoding': 'gzip' })
    t.ok(gunzipSync(packed.body).equals(plain.body))
    packedBytes += packed.body.byteLength
    t.equal((await ask(url, path, 'HEAD')).body.byteLength, 0)
  }
  t.ok(packedBytes < 250_000, `${packedBytes} bytes on the way`)
})

t.test('nothing else leaves it', async (t) => {
  const url = await served(t)
  const paths = ['/../package.json', '/%2e%2e/package.json', '//etc/passwd', '/page.js.map', '/page.tsx']
  for (const path of paths) t.match(await ask(url, path), { status: 404 }, path)
  t.match(await ask(url, '/', 'POST'), { status: 405 })
  t.match((await ask(url, '/nowhere')).headers, { 'content-security-policy': contentPolicy })
})

t.test('the page learns where its broker is', async (t) => {
  const settings = async (url: string): Promise<unknown> =>
    JSON.parse((await ask(url, '/settings.json')).body.toString())
  t.same(await settings(await served(t)), { root: 'yolo-edge/v2' })
  t.same(await settings(await served(t, 'ws://broker:9001')), {
    broker: 'ws://broker:9001',
    root: 'yolo-edge/v2',
  })
})

t.test('a port that is taken is said in one sentence', async (t) => {
  const url = await served(t)
  const second = new PageServer({ port: Number(new URL(url).port), topicRoot: 'yolo-edge/v2' })
  await t.rejects(second.start(), { code: 'cli.argument_invalid', message: /cannot listen on 127\.0\.0\.1/ })
  await second.stop()
})
