/**
 * Takes the pictures of the dashboard that the README shows, into src/dashboard/pictures.
 * Fleet and rollout are of a simulated fleet, the camera is that of `yolo-edge demo`.
 */

import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { silentLogger } from '../../src/base/logger.js'
import { PageServer } from '../../src/dashboard/page-server.js'
import { encodeDesired, desiredPayloadType } from '../../src/protocol/desired.js'
import { sealEnvelope } from '../../src/protocol/envelope.js'
import { generateKeys, parseSigningKey } from '../../src/protocol/keys.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { openChromium } from '../helpers/chromium.js'
import { DashboardTab, pageAt } from '../helpers/dashboard-tab.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { projectRoot } from '../helpers/paths.js'
import { SimulatedFleet } from '../helpers/simulated-fleet.js'
import { deployTo, liveFleet } from '../helpers/simulated-life.js'

const target = join(projectRoot, 'src', 'dashboard', 'pictures')
const topics = topicsBelow('yolo-edge/v2')
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const folder = mkdtempSync(join(tmpdir(), 'yolo-edge-pictures-'))
mkdirSync(target, { recursive: true })
const browser = await openChromium()
try {
  await takeFleet()
  await takeCamera()
} finally {
  await browser.close()
  rmSync(folder, { recursive: true, force: true })
}

async function takeFleet(): Promise<void> {
  const broker = await Mosquitto.start({ folder, hasWebSocket: true })
  const connection = new MqttConnection({ url: broker.url, clientId: 'pictures' }, { logger: silentLogger })
  await connection.start()
  await connection.requireOnline(10_000)
  const fleet = new SimulatedFleet(connection, topics, 160)
  await fleet.introduce()
  const key = parseSigningKey(generateKeys().privatePem)
  const wish = encodeDesired({
    target: { kind: 'channel', name: 'stable' },
    model: 'yolov8n',
    version: '1.5.0',
    sequence: 2,
    createdAt: new Date(Date.now() - 260_000).toISOString(),
    rollout: { percent: 50, salt: '1.5.0' },
  })
  const envelope = sealEnvelope(desiredPayloadType, wish, [key])
  await connection.publish(topics.channelDesired('stable'), envelope, { qos: 1, retain: true })
  const end = await liveFleet(fleet, connection, topics)
  const server = new PageServer({
    port: 0,
    brokerUrl: `ws://127.0.0.1:${broker.webSocketPort}`,
    topicRoot: topics.root,
  })
  await server.start()
  const tab = await DashboardTab.open(browser, server.url, { reducedMotion: 'reduce' })
  await tab.page.goto(pageAt(server))
  const ends = ['committed', 'committed', 'committed', 'rollingBack', 'committed', 'refused'] as const
  const deployments = fleet.devices
    .slice(0, 60)
    .filter((_, index) => index % 13 !== 7)
    .map(async (device, index) => {
      await pause(index * 60)
      await deployTo(device, '1.5.0', ends[index % 19 === 3 ? 3 : index % 23 === 5 ? 5 : 0], 350 + index * 9)
    })
  await pause(9000)
  await shoot(tab, 'fleet')
  await tab.page.goto(pageAt(server, '#/rollouts'))
  await pause(700)
  await shoot(tab, 'rollout', 620)
  await Promise.all(deployments)
  await tab.page.context().close()
  await server.stop()
  end()
  fleet.stop()
  await connection.stop()
  await broker.stop()
}

async function takeCamera(): Promise<void> {
  const main = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
  const demo = spawn(process.execPath, [main, 'demo', '--duration', '120', '--json'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = new Promise((resolve) => demo.once('close', resolve))
  const url = await new Promise<string>((resolve, reject) => {
    let text = ''
    demo.stderr.setEncoding('utf8').on('data', (more: string) => {
      text += more
      const found = /dashboard (http:\S+)/.exec(text)?.[1]
      if (found !== undefined) resolve(found)
    })
    demo.once('close', () => {
      reject(new Error(`the demo ended: ${text}`))
    })
  })
  const tab = await DashboardTab.open(browser, url, { reducedMotion: 'reduce' })
  await tab.page.goto(`${url}#/device/demo-device`)
  await tab.until('boxes', `Number(document.querySelector('.picture canvas')?.dataset.boxes) > 0`)
  await pause(22_000)
  await shoot(tab, 'device')
  await tab.page.context().close()
  demo.kill('SIGINT')
  await ended
}

async function shoot(tab: DashboardTab, name: string, height = 860): Promise<void> {
  await tab.page.setViewportSize({ width: 1360, height })
  for (const colorScheme of ['light', 'dark'] as const) {
    await tab.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await pause(1200)
    const picture = await tab.page.screenshot()
    const small = await sharp(picture).png({ palette: true, colours: 64, effort: 10 }).toBuffer()
    const file = join(target, `${name}-${colorScheme}.png`)
    await writeFile(file, small)
    console.log(`${name}-${colorScheme}.png ${(small.length / 1000).toFixed(0)} kB`)
  }
}
