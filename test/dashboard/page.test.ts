/** The page in a real browser, fed by a real broker. */

import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import t, { type Test } from 'tap'
import { PageServer } from '../../src/dashboard/page-server.js'
import { classColor, cssColor } from '../../src/yolo/class-color.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import type { MqttConnection } from '../../src/transport/mqtt-connection.js'
import { openConnection } from '../helpers/broker.js'
import { openChromium, skipWithoutChromium } from '../helpers/chromium.js'
import { DashboardTab, pageAt } from '../helpers/dashboard-tab.js'
import { readExport } from '../helpers/exports.js'
import { Mosquitto, skipWithoutMosquitto } from '../helpers/mosquitto.js'
import { runCommand, startCommand } from '../helpers/processes.js'
import { sceneAt, sceneHeight, sceneWidth } from '../helpers/simulated-camera.js'
import { SimulatedFleet } from '../helpers/simulated-fleet.js'
import { deployTo, obeyPreview } from '../helpers/simulated-life.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

t.setTimeout(300_000)
const skip = skipWithoutChromium === false ? skipWithoutMosquitto() : skipWithoutChromium
const topics = topicsBelow('yolo-edge/v2')

interface Stage {
  readonly folder: string
  readonly broker: Mosquitto
  readonly connection: MqttConnection
  readonly server: PageServer
  readonly tab: DashboardTab
}

let shared: Browser | undefined
t.teardown(() => shared?.close())

async function stage(t: Test, files: Readonly<Record<string, Uint8Array>> = {}): Promise<Stage> {
  t.setTimeout(240_000)
  shared ??= await openChromium()
  const folder = temporaryFolder(t, files, ['broker', 'keys'])
  const broker = await Mosquitto.start({ folder: join(folder, 'broker'), hasWebSocket: true })
  t.teardown(() => broker.stop())
  const connection = await openConnection(t, broker.url)
  const brokerUrl = `ws://127.0.0.1:${broker.webSocketPort}`
  const server = new PageServer({ port: 0, brokerUrl, topicRoot: topics.root })
  await server.start()
  t.teardown(() => server.stop())
  const tab = await DashboardTab.open(shared, server.url)
  t.teardown(() => tab.page.context().close())
  return { folder, broker, connection, server, tab }
}

const statusOf = (device: string): string =>
  `[...document.querySelectorAll('.row')].find((row) => row.querySelector('.device-link')?.textContent === '${device}')?.className`
const hasStatus = (device: string, status: string): string =>
  `${statusOf(device)}?.includes('status-${status}') === true`

/** Red, green and blue of points of the picture's canvas, given in pixels of the original picture plus pixels of the screen. */
async function colorsAt(
  tab: DashboardTab,
  points: readonly (readonly [x: number, y: number, dx: number, dy: number])[],
): Promise<readonly (readonly [number, number, number])[]> {
  return tab.evaluate(`(() => {
    const canvas = document.querySelector('.picture canvas')
    const context = canvas.getContext('2d')
    return ${JSON.stringify(points)}.map(([x, y, dx, dy]) => [...context.getImageData(
      Math.floor(x * canvas.width / ${sceneWidth}) + dx, Math.floor(y * canvas.height / ${sceneHeight}) + dy, 1, 1).data.slice(0, 3)])
  })()`)
}

const isNear = (one: readonly number[], other: readonly number[], tolerance: number): boolean =>
  one.every((value, index) => Math.abs(value - other[index]!) <= tolerance)

const rgbOf = (css: string): readonly number[] =>
  [1, 3, 5].map((start) => Number.parseInt(css.slice(start, start + 2), 16))

t.test('a fleet, a camera up close, a rollout and a rollback', { skip }, async (t) => {
  const { connection, server, tab } = await stage(t)
  const { page } = tab
  const fleet = new SimulatedFleet(connection, topics, 40)
  t.teardown(() => {
    fleet.stop()
  })
  await fleet.introduce()
  const isAsked = await obeyPreview(connection, topics, fleet.devices)
  const [first, second, third] = fleet.devices
  await page.goto(pageAt(server))
  await tab.says('40 devices')
  await Promise.all(fleet.devices.map((device) => device.sampleMetrics(2000)))

  await first!.setAvailability('offline')
  await tab.until('the device is down', hasStatus(first!.name, 'offline'))
  await first!.setAvailability('online')
  await tab.until('the device is back', hasStatus(first!.name, 'online'))

  await page.getByLabel('Search the fleet').fill(second!.name)
  await tab.says('1 of 40 devices')
  await page.getByRole('link', { name: second!.name }).click()
  const camera = second!.cameras[0]!
  // The page asks for pictures after it has begun to listen.
  for (let turn = 0; turn < 600 && !isAsked(second!.name); turn++)
    await new Promise((resolve) => setTimeout(resolve, 50))
  for (const frameId of [1, 2, 40]) {
    camera.frameId = frameId - 1
    await camera.sendFrame(true)
    await tab.until(
      `frame ${frameId} is drawn`,
      `document.querySelector('.picture canvas')?.dataset.frame === '${frameId}' && document.querySelector('.picture-note').textContent === ''`,
    )
    const { x1, y1, x2, y2, color, classIndex } = sceneAt(frameId)[0]!
    const [midX, midY] = [(x1 + x2) / 2, (y1 + y2) / 2]
    const edges = await colorsAt(tab, [
      [x1, midY, 0, 0],
      [x2, midY, 0, 0],
      [midX, y1, 0, 0],
      [midX, y2, 0, 0],
    ])
    const line = rgbOf(cssColor(classColor(classIndex)))
    t.ok(
      edges.every((edge) => isNear(edge, line, 60)),
      `frame ${frameId}: lines lie on the edges, got ${JSON.stringify(edges)}`,
    )
    const inside = await colorsAt(tab, [
      [x1, midY, 7, 0],
      [x2, midY, -7, 0],
      [midX, y2, 0, -7],
    ])
    t.ok(
      inside.every((edge) => isNear(edge, color, 50)),
      `frame ${frameId}: the block is within, got ${JSON.stringify(inside)}`,
    )
    const outside = await colorsAt(tab, [
      [x2, midY, 9, 0],
      [midX, y2, 0, 9],
    ])
    t.notOk(
      outside.some((edge) => isNear(edge, color, 50)),
      `frame ${frameId}: and nothing of it without`,
    )
  }
  t.ok(isAsked(second!.name), 'pictures are asked for while the device is open')
  const shown = { light: [] as string[], dark: [] as string[] }
  const look = async (what: string): Promise<void> => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      shown[colorScheme].push(...(await tab.accessibilityViolations()).map((each) => `${what}: ${each}`))
    }
  }
  await look('device')

  await deployTo(second!, '1.5.0', 'rollingBack', 30)
  await tab.says('rolled back')
  await tab.says('p95 latency rose to 412 ms while soaking')

  await page.goto(pageAt(server, '#/rollouts'))
  await tab.until('pictures are asked for no longer', 'true')
  await deployTo(third!, '1.5.0', 'committed', 30)
  const rollout = page.getByRole('region', { name: 'yolov8n 1.5.0' })
  await rollout.getByText('serving').waitFor()
  await rollout.getByText('p95 latency rose to 412 ms').waitFor()
  for (let turn = 0; turn < 100 && isAsked(second!.name); turn++)
    await new Promise((resolve) => setTimeout(resolve, 50))
  t.notOk(isAsked(second!.name), 'pictures are asked for no longer')
  await look('rollouts')
  await page.goto(pageAt(server))
  await page.getByLabel('Search the fleet').fill('')
  await tab.says('40 devices')
  await look('fleet')
  t.same(shown, { light: [], dark: [] }, 'axe finds nothing serious')
  // The browser's advice to this test, which reads the canvas.
  t.same(
    tab.problems.filter((problem) => !problem.startsWith('Canvas2D')),
    [],
  )
})

t.test('a long fleet: rows that scrolling uses again', { skip }, async (t) => {
  const { connection, server, tab } = await stage(t)
  const fleet = new SimulatedFleet(connection, topics, 300)
  t.teardown(() => {
    fleet.stop()
  })
  await fleet.introduce()
  await tab.page.goto(pageAt(server))
  await tab.says('300 devices')
  const rowsInOrder = `[...document.querySelectorAll('.table-body .row')].map((row) => ({
    index: Number(row.getAttribute('aria-rowindex')) - 2, name: row.querySelector('.device-link').textContent,
    top: Math.round(row.getBoundingClientRect().top - document.querySelector('.table-body').getBoundingClientRect().top) }))`
  const collator = new Intl.Collator('en', { numeric: true })
  const names = fleet.devices.map(({ name }) => name).sort(collator.compare)
  const isInOrder = `${rowsInOrder}.every(({ index }, at, rows) => at === 0 || index === rows[at - 1].index + 1)`
  for (const share of [0.3, 0.31, 1, 0.5, 0]) {
    await tab.evaluate(`scrollTo(0, ${share} * (document.documentElement.scrollHeight - innerHeight))`)
    await tab.until(
      `rows at ${share} cover the window`,
      `${rowsInOrder}.some(({ index }) => index === Math.floor(${share} * 299))`,
    )
    await tab.until(`rows at ${share} rest in the order of the Tab key`, isInOrder)
    const rows = await tab.evaluate<{ index: number; name: string; top: number }[]>(rowsInOrder)
    const height = rows[1]!.top - rows[0]!.top
    t.ok(height > 20)
    t.same(
      rows,
      rows.map(({ index }) => ({ index, name: names[index], top: index * height })),
      `rows at ${share} are those of their places`,
    )
  }
  const focused = `document.activeElement.textContent`
  await tab.evaluate(`document.querySelectorAll('.device-link')[8].focus()`)
  t.equal(await tab.evaluate(focused), names[8])
  await tab.evaluate('scrollTo(0, 120)')
  await tab.until('at rest', `scrollY === 120 && ${isInOrder}`)
  t.equal(await tab.evaluate(focused), names[8], 'in sight it keeps the focus')
  await tab.evaluate('scrollTo(0, 6000)')
  await tab.until('the focused device is gone', `!document.body.innerText.includes('${names[8]!}')`)
  t.equal(await tab.evaluate('document.activeElement.className'), '', 'and no other device gets it')
  t.same(tab.problems, [])
})

/** Texts of the cells of each row, by the name of its device; what is hidden is left out. */
const cellsByName = `Object.fromEntries([...document.querySelectorAll('.table-body .row')].map((row) =>
  [row.querySelector('.device-link').textContent, [...row.children].map((cell) => cell.innerText.trim()).slice(1)]))`

t.test('rows say what their devices say, also where they showed another one before', { skip }, async (t) => {
  const { connection, server, tab } = await stage(t)
  const fleet = new SimulatedFleet(connection, topics, 8)
  await fleet.introduce()
  await tab.page.goto(pageAt(server))
  await tab.says('8 devices')
  const [unreadable, fetching, offered, refused, done, drifting, down, plain] = fleet.devices
  await unreadable!.say('metrics', Buffer.from('<img src=x onerror=alert(1)>'), false)
  await tab.says('1 unreadable message')
  await fetching!.deployStep('2.0.0', 'offered')
  await fetching!.deployStep('2.0.0', 'downloading', { progress: 0.4 })
  await offered!.deployStep('2.0.0', 'offered')
  const error = { code: 'deployment.accuracy_low', message: 'mAP 0.1, expected 0.5' }
  await refused!.deployStep('2.0.0', 'offered')
  await refused!.deployStep('2.0.0', 'refused', { error })
  await done!.deployStep('2.0.0', 'offered')
  await done!.deployStep('2.0.0', 'committed')
  await drifting!.report(0.31, 0.5)
  await down!.setAvailability('offline')
  await connection.publish(topics.deviceState('bare', 'availability'), Buffer.from('online'), { qos: 1 })
  await tab.says('9 devices')
  const deployments = {
    [unreadable!.name]: '1 unreadable message',
    [fetching!.name]: 'downloading 2.0.0 40 %',
    [offered!.name]: 'offered 2.0.0',
    [refused!.name]: '2.0.0 accuracy low',
    [done!.name]: 'up to date',
    [drifting!.name]: '',
    [down!.name]: '',
    [plain!.name]: '',
    bare: '',
  }
  const isSettled = `document.querySelectorAll('.table-body .row').length === 9 && document.body.innerText.includes('drift')`
  for (const column of ['Deployment', 'Device', 'Model', 'Board']) {
    await tab.page.getByRole('columnheader', { name: column }).getByRole('button').click()
    await tab.until(
      'in order',
      `${isSettled} && document.querySelector('[aria-sort=ascending]').textContent.startsWith('${column}')`,
    )
    const cells = await tab.evaluate<Record<string, string[]>>(cellsByName)
    t.same(
      Object.fromEntries(Object.entries(cells).map(([name, texts]) => [name, texts[6]])),
      deployments,
      `ordered by ${column}`,
    )
    t.same(cells['bare'], ['', 'no model', '–', '–', '–', '–', ''])
    t.match(cells[plain!.name], [plain!.kind.board, `1.4.0 ${plain!.kind.variant}`])
    t.equal(cells[drifting!.name]![5]?.replaceAll(/\s/g, ''), 'drift0.310')
    t.equal(cells[plain!.name]![5], '–')
  }
  const offline = `[...document.querySelectorAll('.cell-name .badge:not([hidden])')].map((badge) => badge.textContent)`
  t.same(await tab.evaluate(offline), ['offline'])
  const progress = `[...document.querySelectorAll('.deploying:not([hidden]) progress')].map(({ position, ariaLabel }) => [position, ariaLabel])`
  t.same(
    (await tab.evaluate<[number, string][]>(progress)).sort(([one], [other]) => one - other),
    [
      [-1, 'offered 2.0.0'],
      [0.4, 'downloading 2.0.0'],
    ],
  )
  await tab.page.getByLabel('Search the fleet').fill(refused!.name)
  await tab.says('1 of 9 devices')
  t.same(await tab.evaluate(`Object.keys(${cellsByName})`), [refused!.name])
  t.same(await tab.accessibilityViolations(), [])
  t.same(tab.problems, [])
})

t.test('a real agent: from nothing to live boxes, killed and back', { skip }, async (t) => {
  const { folder, broker, server, tab } = await stage(t, { 'parts.onnx': readExport('opset17-slim') })
  await runCommand(t, ['keygen', join(folder, 'keys', 'fleet')])
  const settings = [
    'device.id=cam-1',
    `broker.url=${broker.url}`,
    `state.directory=${join(folder, 'state')}`,
    `security.trusted_keys=${join(folder, 'keys')}`,
    'selection.trial_runs=5',
    'telemetry.metrics_period_s=1',
    'acceptance.soak_s=1',
    'acceptance.latency_factor_max=100',
    'acceptance.active_latency_factor_max=1000',
    'inference.conf=0',
    'inference.threads=1',
    'cameras=front=synthetic#fps=10',
  ].flatMap((setting) => ['--set', setting])
  const publish = (version: string): ReturnType<typeof runCommand> => {
    const name = ['--name', 'parts', '--model-version', version, '--sequence', version.split('.')[0]!]
    const key = ['--sign', join(folder, 'keys', 'fleet.key')]
    return runCommand(t, ['publish', join(folder, 'parts.onnx'), ...name, ...key, '--broker', broker.url])
  }
  await tab.page.goto(pageAt(server))
  await tab.says('No device has spoken yet')
  const agent = startCommand(t, ['run', ...settings])
  await tab.until('online', hasStatus('cam-1', 'online'))
  await tab.page.goto(pageAt(server, '#/device/cam-1'))
  await publish('2.0.0')
  await tab.until('committed', `document.querySelector('.history .badge')?.textContent === 'committed'`)
  const frame = (): Promise<number> =>
    tab.evaluate(`Number(document.querySelector('.picture canvas').dataset.frame)`)
  await tab.until(
    'a picture with boxes',
    `Number(document.querySelector('.picture canvas')?.dataset.boxes) > 0 && document.querySelector('.picture-note').textContent === ''`,
  )
  const before = await frame()
  await tab.until(
    'the picture moves',
    `Number(document.querySelector('.picture canvas').dataset.frame) > ${before}`,
  )
  await publish('1.0.0')
  await tab.says('trust.sequence_stale')
  agent.kill('SIGKILL')
  await tab.until(
    'down',
    `document.querySelector('.device-head .badge').className.includes('status-offline')`,
  )
  startCommand(t, ['run', ...settings])
  await tab.until('back', `document.querySelector('.device-head .badge').className.includes('status-online')`)
  await tab.until(
    'boxes again',
    `Number(document.querySelector('.picture canvas').dataset.frame) < ${before}`,
  )
  t.same(tab.problems, [])
})
