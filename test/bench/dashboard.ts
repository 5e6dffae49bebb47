/**
 * What the dashboard weighs, how soon it shows something, and whether it stays smooth under a large fleet and a busy camera.
 * Run: npm run bench -- dashboard [--devices 2000] [--seconds 15]
 * Needs Mosquitto and Chromium. Broker, fleet, server and browser share this machine, so the page is measured at its worst.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import type { Browser, Page } from 'playwright-core'
import { silentLogger } from '../../src/base/logger.js'
import { PageServer } from '../../src/dashboard/page-server.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { openChromium } from '../helpers/chromium.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { SimulatedFleet } from '../helpers/simulated-fleet.js'
import { openUnwatched, privateBytesOf } from '../helpers/unwatched-page.js'

const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '15' },
  },
})
const deviceCount = Number(values.devices)
const spanMs = Number(values.seconds) * 1000
const framesPerSecond = 100
const slowdown = 4
/** Until the browser has started, shows the fleet and has settled. */
const startLimitMs = 120_000
const topics = topicsBelow('yolo-edge/v2')
const folder = mkdtempSync(join(tmpdir(), 'yolo-edge-dashboard-'))
const broker = await Mosquitto.start({
  folder,
  hasWebSocket: true,
  lines: ['max_queued_messages 100000', 'max_inflight_messages 1000'],
})
const connection = new MqttConnection({ url: broker.url, clientId: 'bench' }, { logger: silentLogger })
await connection.start()
await connection.requireOnline(10_000)
const fleet = new SimulatedFleet(connection, topics, deviceCount)
await fleet.introduce()
const server = new PageServer({
  port: 0,
  topicRoot: topics.root,
  brokerUrl: `ws://127.0.0.1:${broker.webSocketPort}`,
})
await server.start()
try {
  await weigh()
  // Each in a browser of its own: a processor that was slowed once stays slow for pages that share its process.
  await inBrowser(timeFirstPaint)
  await scrollFleet()
  await inBrowser(watchCamera)
} finally {
  fleet.stop()
  await server.stop()
  await connection.stop()
  await broker.stop()
  rmSync(folder, { recursive: true, force: true })
}

async function inBrowser(look: (browser: Browser) => Promise<void>): Promise<void> {
  const browser = await openChromium()
  try {
    await look(browser)
  } finally {
    await browser.close()
  }
}

async function weigh(): Promise<void> {
  let [plainBytes, packedBytes] = [0, 0]
  for (const path of ['', 'page.js', 'link-worker.js', 'page.css']) {
    const content = Buffer.from(await (await fetch(server.url + path)).arrayBuffer())
    plainBytes += content.byteLength
    packedBytes += gzipSync(content).byteLength
  }
  console.log(
    `page: ${(packedBytes / 1000).toFixed(1)} kB gzipped, ${(plainBytes / 1000).toFixed(1)} kB plain`,
  )
}

async function timeFirstPaint(browser: Browser): Promise<void> {
  const paints: number[] = []
  const rows: number[] = []
  for (let turn = 0; turn < 5; turn++) {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
    const session = await page.context().newCDPSession(page)
    await session.send('Emulation.setCPUThrottlingRate', { rate: slowdown })
    await page.goto(server.url)
    await page.waitForSelector('.device-link', { timeout: 60_000 })
    rows.push(await page.evaluate(() => performance.now()))
    paints.push(
      await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN),
    )
    await page.close()
  }
  const median = (list: readonly number[]): string => list.toSorted((a, b) => a - b)[2]!.toFixed(0)
  console.log(
    `CPU ${slowdown} times slower: first paint after ${median(paints)} ms, first devices after ${median(rows)} ms (medians of 5)`,
  )
}

/** Without developer tools, which would hear each of the messages as well. */
async function scrollFleet(): Promise<void> {
  fleet.startMetrics(1000)
  const page = await openUnwatched(server.url, scrollScript(spanMs), spanMs + startLimitMs)
  try {
    await delay(5000)
    const before = connection.stats().publishesSent
    const startMs = performance.now()
    const frames = (await page.result) as readonly number[]
    const messages = ((connection.stats().publishesSent - before) * 1000) / (performance.now() - startMs)
    const gaps = frames.slice(1).map((time, index) => time - frames[index]!)
    const sorted = gaps.toSorted((a, b) => a - b)
    const { own, withShare } = page.memory()
    console.log(
      `${deviceCount} devices, ${messages.toFixed(0)} messages a second: ${((frames.length * 1000) / spanMs).toFixed(1)} frames a second while scrolling, ` +
        `95 % within ${at(sorted, 0.95).toFixed(1)} ms, longest ${at(sorted, 1).toFixed(1)} ms; ${(own / 1e6).toFixed(0)} MB of the process's own, ${(withShare / 1e6).toFixed(0)} MB with its share in common ones`,
    )
  } finally {
    fleet.stop()
    await page.close()
  }
}

/** Waits for the fleet, then scrolls down and up for a while; the times of the frames, milliseconds. Text, because it runs in the page. */
function scrollScript(forMs: number): string {
  return `async () => {
    const settled = () => document.querySelectorAll('.device-link').length > 10
    while (!settled()) await new Promise((resolve) => setTimeout(resolve, 100))
    await new Promise((resolve) => setTimeout(resolve, 5000))
    const times = []
    const startMs = performance.now()
    const height = document.documentElement.scrollHeight - innerHeight
    while (performance.now() - startMs < ${forMs}) {
      times.push(await new Promise((resolve) => requestAnimationFrame(resolve)))
      const share = ((performance.now() - startMs) / 4000) % 2
      scrollTo(0, height * (share < 1 ? share : 2 - share))
    }
    return times
  }`
}

async function watchCamera(browser: Browser): Promise<void> {
  const device = fleet.devices[0]!
  const camera = device.cameras[0]!
  await device.sampleMetrics(1000)
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  await page.goto(`${server.url}#/device/${device.name}`)
  await page.waitForSelector('canvas')
  camera.start(framesPerSecond, () => false)
  const lags: number[] = []
  const startMs = performance.now()
  while (performance.now() - startMs < 2 * spanMs) {
    await delay(100)
    const text = await page.locator('.found h2').textContent()
    const shown = /no\. (\d+)/.exec(text ?? '')
    if (shown !== null) lags.push(((camera.frameId - Number(shown[1])) * 1000) / framesPerSecond)
  }
  const sent = (camera.frameId * 1000) / (performance.now() - startMs)
  camera.stop()
  const third = Math.floor(lags.length / 3)
  const mean = (list: readonly number[]): string =>
    (list.reduce((sum, lag) => sum + lag, 0) / list.length).toFixed(0)
  console.log(
    `one camera, ${sent.toFixed(0)} detections a second for ${((2 * spanMs) / 1000).toFixed(0)} s: the frame shown in text is ${mean(lags.slice(0, third))} ms behind in the first third, ` +
      `${mean(lags.slice(-third))} ms in the last; ${await memoryOf(browser, page)}`,
  )
  await page.close()
}

/** Heap of the page's scripts, and what its process alone holds. */
async function memoryOf(browser: Browser, page: Page): Promise<string> {
  const session = await page.context().newCDPSession(page)
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  const system = await browser.newBrowserCDPSession()
  const { processInfo } = await system.send('SystemInfo.getProcessInfo')
  await system.detach()
  const renderers = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => privateBytesOf(id))
  return `${(usedSize / 1e6).toFixed(1)} MB of script heap, ${(Math.max(...renderers) / 1e6).toFixed(0)} MB in the process`
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}
