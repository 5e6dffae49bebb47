import t from 'tap'
import { arrangeRows, type Arrangement } from '../../../src/dashboard/fleet/arrange-rows.js'
import { wishRefusals } from '../../../src/dashboard/fleet/device-record.js'
import { FleetStore } from '../../../src/dashboard/fleet/fleet-store.js'
import { type FleetRow, rowOf } from '../../../src/dashboard/fleet/fleet-row.js'
import { summarize } from '../../../src/dashboard/fleet/fleet-summary.js'
import { rolloutsOf } from '../../../src/dashboard/fleet/rollouts.js'
import { type Deployment, encodeDeployment } from '../../../src/protocol/deployment.js'
import { type Metrics, encodeMetrics } from '../../../src/protocol/metrics.js'
import { encodeReported } from '../../../src/protocol/reported.js'
import { topicsBelow } from '../../../src/protocol/topics.js'
import { wishFor, sealWish } from '../../../src/cli/fleet/wish.js'
import { exampleReported } from '../../helpers/example-messages.js'

const topics = topicsBelow('yolo-edge/v2')
const at = '2026-01-01T00:00:00.000Z'

class Page {
  readonly store = new FleetStore(topics.root)
  nowMs = 0

  hear(topic: string, payload: Uint8Array | string): void {
    const bytes = Uint8Array.from(typeof payload === 'string' ? Buffer.from(payload) : payload)
    const arrival = { wallMs: this.nowMs, monotonicMs: this.nowMs }
    this.store.receive({ topic, payload: bytes }, arrival)
  }

  online(device: string): void {
    this.hear(topics.deviceState(device, 'availability'), 'online')
    this.hear(topics.deviceState(device, 'reported'), encodeReported(exampleReported))
  }

  deployment(device: string, more: Partial<Deployment>): void {
    const message: Deployment = {
      at,
      id: 'd1',
      state: 'downloading',
      model: 'yolov8n',
      version: '2.0.0',
      attempt: 1,
      ...more,
    }
    this.hear(topics.deviceState(device, 'deployment'), encodeDeployment(message))
  }

  metrics(device: string, more: Partial<Metrics> = {}): void {
    const message: Metrics = {
      at,
      sequence: 1,
      windowMs: 10_000,
      uptimeMs: 10_000,
      agentMemoryBytes: 1e8,
      outboxDepth: 0,
      outboxDropped: 0,
      publishesDropped: 0,
      reconnects: 0,
      cameras: [
        {
          ...{ name: 'front', captured: 100, processed: 100, dropped: 0, restarts: 0, errors: 0 },
          ...{ capturedFps: 10, processedFps: 10 },
        },
      ],
      ...more,
    }
    this.hear(topics.deviceState(device, 'metrics'), encodeMetrics(message))
  }

  row(device: string): FleetRow {
    return rowOf(this.store.devices.get(device)!, this.nowMs)
  }

  rows(): FleetRow[] {
    return [...this.store.devices.values()].map((device) => rowOf(device, this.nowMs))
  }
}

t.test('a device appears with its first word, and goes when its availability is cleared', (t) => {
  const page = new Page()
  page.online('pi')
  t.match(page.row('pi'), { status: 'online', model: 'yolov8n', version: '1.0.0', needsLook: false })
  page.hear(topics.deviceState('pi', 'availability'), 'offline')
  t.match(page.row('pi'), { status: 'offline', needsLook: true })
  page.hear(topics.deviceState('pi', 'reported'), '')
  t.ok(page.store.devices.has('pi'), 'another state that is cleared says nothing of the device')
  page.hear(topics.deviceState('pi', 'availability'), '')
  t.equal(page.store.devices.size, 0)
  t.end()
})

t.test('a device that is online and says nothing for long is silent, and its figures are not shown', (t) => {
  const page = new Page()
  page.online('pi')
  page.metrics('pi', { temperatureC: 50, throttled: true })
  t.match(page.row('pi'), { status: 'online', fps: 10, temperatureC: 50, isThrottled: true, needsLook: true })
  page.nowMs = 60_000
  t.match(page.row('pi'), { status: 'silent', fps: undefined, isThrottled: false, needsLook: true })
  page.metrics('pi')
  t.match(page.row('pi'), { status: 'online', fps: 10 })
  t.end()
})

t.test('a row that is filled anew is as one that is made anew', (t) => {
  const page = new Page()
  page.online('pi')
  const row = page.row('pi')
  const refill = (): FleetRow => rowOf(page.store.devices.get('pi')!, page.nowMs, row)
  page.metrics('pi', { temperatureC: 90, throttled: true })
  page.deployment('pi', { state: 'downloading', progress: 0.5 })
  t.equal(refill(), row)
  t.match(row, {
    temperatureC: 90,
    isThrottled: true,
    needsLook: true,
    deployment: 'downloading',
    progress: 0.5,
  })
  t.same(row, page.row('pi'))
  page.hear(topics.deviceState('pi', 'availability'), 'stopped')
  page.deployment('pi', { state: 'committed' })
  t.same(refill(), page.row('pi'))
  t.match(row, {
    status: 'stopped',
    fps: undefined,
    isThrottled: false,
    needsLook: false,
    progress: undefined,
  })
  t.end()
})

t.test('payloads that are not what their topic says are counted, and break nothing', (t) => {
  const page = new Page()
  page.online('pi')
  const hostile = [
    'null',
    '{',
    '[]',
    '{"schema":1}',
    '{"schema":9}',
    '<script>alert(1)</script>',
    `{"schema":1,"cameras":${JSON.stringify(Array(5000).fill({}))}}`,
    '\u0000\u0001',
    `{"schema":1,"at":{"toString":1},"__proto__":{"polluted":true}}`,
  ]
  for (const payload of hostile) {
    for (const kind of ['info', 'reported', 'metrics', 'report', 'deployment'] as const)
      page.hear(topics.deviceState('pi', kind), payload)
    page.hear(topics.channelDesired('stable'), payload)
  }
  t.equal(page.store.refused, hostile.length * 6)
  t.match(page.row('pi'), { status: 'online', version: '1.0.0', refused: hostile.length * 5 })
  t.equal(({} as { polluted?: boolean }).polluted, undefined)
  for (const topic of ['other/root', `${topics.root}/devices/a b/info`, `${topics.root}/devices/../x/info`])
    page.hear(topic, 'x')
  t.equal(page.store.devices.size, 1)
  t.end()
})

t.test('a rollout is counted by stage, and who refused it is named with the reason', (t) => {
  const page = new Page()
  for (const name of ['a', 'b', 'c', 'd']) page.online(name)
  page.deployment('b', { state: 'downloading', progress: 0.5 })
  page.deployment('c', { state: 'soaking' })
  const error = { code: 'deployment.accuracy_low', message: 'mAP 0.1, expected 0.5' }
  page.deployment('d', { state: 'rollingBack', error })
  page.deployment('d', { state: 'idle' })
  const wish = wishFor({ model: 'yolov8n', version: '2.0.0' }, { kind: 'channel', name: 'stable' }, 5)
  page.hear(topics.channelDesired('stable'), sealWish(wish, []))
  const [newest, oldest] = rolloutsOf(page.store.devices.values(), page.store.channels.values())
  t.match(newest, {
    version: '2.0.0',
    counts: { fetching: 1, soaking: 1, failed: 1, serving: 0 },
    failures: [{ device: 'd', code: 'deployment.accuracy_low' }],
    channels: [{ sequence: 5 }],
  })
  t.match(oldest, { version: '1.0.0', counts: { serving: 2 } })
  t.match(page.row('d'), { failure: 'deployment.accuracy_low', needsLook: true })
  t.match(summarize(page.rows()), { devices: 4, online: 4, down: 0, deploying: 2, look: 1 })
  t.end()
})

t.test('a device that did not take the wish of its channel has failed with that version', (t) => {
  const page = new Page()
  for (const name of ['good', 'stranger', 'replayed']) page.online(name)
  const target = { kind: 'channel', name: 'stable' } as const
  const wish = wishFor({ model: 'yolov8n', version: '2.0.0' }, target, 5)
  page.hear(topics.channelDesired('stable'), sealWish(wish, []))
  const error = { code: 'trust.key_unknown', message: 'none of its keys is trusted here' }
  const refuse = (name: string, sequence: number): void => {
    const refusedWish = { target, at, error, sequence, model: 'yolov8n', version: '2.0.0' }
    const reported = encodeReported({ ...exampleReported, refusedWish, refusedWishes: 1 })
    page.hear(topics.deviceState(name, 'reported'), reported)
  }
  refuse('stranger', 5)
  refuse('replayed', 4)
  t.match(rolloutsOf(page.store.devices.values(), page.store.channels.values()), [
    { version: '2.0.0', counts: { failed: 1 }, failures: [{ device: 'stranger', code: error.code }] },
    { version: '1.0.0', counts: { serving: 3 } },
  ])
  t.match(wishRefusals(page.store.devices.values()), [{ device: 'stranger' }, { device: 'replayed' }])
  t.match(page.row('stranger'), { failure: error.code, needsLook: true })
  t.end()
})

t.test('what a person ended counts as no failure and needs no look', (t) => {
  const page = new Page()
  for (const name of ['paused', 'recalled', 'bad']) page.online(name)
  const error = { code: 'deployment.wish_superseded', message: 'the wish was paused' }
  page.deployment('paused', { state: 'refused', error })
  page.deployment('paused', { state: 'idle', error })
  page.deployment('recalled', { state: 'rollingBack', error })
  page.deployment('bad', { state: 'refused', error: { code: 'deployment.accuracy_low', message: 'mAP 0.1' } })
  const rollouts = rolloutsOf(page.store.devices.values(), page.store.channels.values())
  t.match(rollouts, [
    { version: '2.0.0', counts: { failed: 1 }, failures: [{ device: 'bad' }] },
    { version: '1.0.0', counts: { serving: 3, failed: 0 } },
  ])
  t.same(
    page.rows().map(({ name, needsLook }) => [name, needsLook]),
    [
      ['paused', false],
      ['recalled', false],
      ['bad', true],
    ],
  )
  t.end()
})

t.test('the table is searched, filtered and ordered; what is not known comes last', (t) => {
  const page = new Page()
  for (const name of ['cam-10', 'cam-2', 'yard-1']) page.online(name)
  page.hear(topics.deviceState('yard-1', 'availability'), 'offline')
  page.metrics('cam-2', { temperatureC: 70 })
  page.metrics('cam-10', { temperatureC: 40 })
  const plain: Arrangement = { filter: 'all', search: '', sort: 'name', isDescending: false }
  const names = (changes: Partial<Arrangement>): string[] =>
    arrangeRows(page.rows(), { ...plain, ...changes }).map(({ name }) => name)
  t.same(names({}), ['cam-2', 'cam-10', 'yard-1'], 'numbers in names count as numbers')
  t.same(names({ isDescending: true }), ['yard-1', 'cam-10', 'cam-2'])
  t.same(names({ sort: 'temperatureC' }), ['cam-10', 'cam-2', 'yard-1'])
  t.same(names({ sort: 'temperatureC', isDescending: true }), ['cam-2', 'cam-10', 'yard-1'])
  t.same(names({ search: 'CAM yolov8n' }), ['cam-2', 'cam-10'])
  t.same(names({ search: 'cam moon' }), [])
  t.same(names({ filter: 'down' }), ['yard-1'])
  t.same(names({ filter: 'online' }), ['cam-2', 'cam-10'])
  t.same(names({ sort: 'status' }), ['yard-1', 'cam-2', 'cam-10'], 'trouble first')
  t.end()
})

t.test('a page is cleared for another broker', (t) => {
  const page = new Page()
  page.online('pi')
  const { revision } = page.store
  page.store.clear()
  t.equal(page.store.devices.size, 0)
  t.ok(page.store.revision > revision)
  t.end()
})
