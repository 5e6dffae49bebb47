import t from 'tap'
import { ReportOutbox } from '../../../src/agent/reporting/report-outbox.js'
import { silentLogger } from '../../../src/base/logger.js'
import { parseReport, type Report } from '../../../src/protocol/report.js'
import { parseSceneEvent, type SceneEvent } from '../../../src/protocol/scene-event.js'
import { topicsBelow } from '../../../src/protocol/topics.js'
import { openStore } from '../../../src/store/store.js'
import { openConnection, startBroker, startConnection, until } from '../../helpers/broker.js'
import { freePort } from '../../helpers/mosquitto.js'

const place = { topics: topicsBelow('yolo-edge/v2'), device: 'cam' }
const topic = place.topics.deviceState('cam', 'report')

const report = (id: string): Report => ({
  at: '2026-01-01T00:00:00.000Z',
  id,
  kind: 'period',
  model: 'm',
  version: '1.0.0',
})

t.test('what was reported offline is sent in order, and says so, after a restart too', async (t) => {
  const port = await freePort()
  const root = t.testdir()
  const open = () =>
    openStore({ root, quota: { limitBytes: 1e6, reserveBytes: 0 }, outboxLimitBytes: 100_000 })
  const offline = await startConnection(t, `mqtt://127.0.0.1:${port}`)
  const before = new ReportOutbox((await open()).outbox, offline, place, silentLogger)
  before.start()
  for (const id of ['one', 'two']) await before.add(report(id))
  await before.stop()

  const broker = await startBroker(t, { port })
  const listener = await openConnection(t, broker.url)
  const received: Report[] = []
  await listener.subscribe([topic], 1, ({ payload }) => received.push(parseReport(payload))).outcome
  const store = await open()
  const online = await openConnection(t, broker.url)
  const after = new ReportOutbox(store.outbox, online, place, silentLogger)
  after.start()
  await after.add(report('three'))
  await until(() => received.length === 3)
  t.same(
    received.map(({ id, historical }) => [id, historical]),
    [
      ['one', true],
      ['two', true],
      ['three', undefined],
    ],
  )
  await until(() => store.outbox.size === 0)
  await after.stop()
})

t.test('a record that is no report is dropped, and those behind it are sent', async (t) => {
  const broker = await startBroker(t)
  const store = await openStore({
    root: t.testdir(),
    quota: { limitBytes: 1e6, reserveBytes: 0 },
    outboxLimitBytes: 100_000,
  })
  await store.outbox.append(Buffer.from('{"schema":99}'))
  const listener = await openConnection(t, broker.url)
  const received: string[] = []
  await listener.subscribe([topic], 1, ({ payload }) => received.push(parseReport(payload).id)).outcome
  const outbox = new ReportOutbox(store.outbox, await openConnection(t, broker.url), place, silentLogger)
  outbox.start()
  await outbox.add(report('good'))
  await until(() => received.length === 1)
  t.same(received, ['good'])
  await outbox.stop()
})

const event = (id: string): SceneEvent => ({
  ...{ at: '2026-01-01T00:00:00.000Z', id, kind: 'new', camera: 'front', zone: 'dock', class: 'bolt' },
  ...{ trackId: 7, score: 0.9, bestScore: 0.9, share: [0, 0, 0.5, 1], model: 'm', version: '1.0.0' },
})

t.test(
  'events of a time without a broker come late and say so, those after it at once and not over the disk',
  async (t) => {
    const port = await freePort()
    const store = await openStore({
      root: t.testdir(),
      quota: { limitBytes: 1e6, reserveBytes: 0 },
      outboxLimitBytes: 100_000,
    })
    const connection = await startConnection(t, `mqtt://127.0.0.1:${port}`)
    const outbox = new ReportOutbox(store.outbox, connection, place, silentLogger)
    await outbox.addEvent(event('one'))
    await outbox.add(report('between'))
    await outbox.addEvent(event('two'))
    t.equal(store.outbox.size, 3)
    const broker = await startBroker(t, { port })
    const listener = await openConnection(t, broker.url)
    const heard: (readonly [string, boolean | undefined])[] = []
    await listener.subscribe([place.topics.events('cam', 'front')], 1, ({ payload }) => {
      const { id, historical } = parseSceneEvent(payload)
      heard.push([id, historical])
    }).outcome
    outbox.start()
    await until(() => heard.length === 2)
    await until(() => store.outbox.size === 0)
    await outbox.addEvent(event('three'))
    t.equal(store.outbox.size, 0)
    await until(() => heard.length === 3)
    t.same(heard, [
      ['one', true],
      ['two', true],
      ['three', undefined],
    ])
    await outbox.stop()
  },
)
