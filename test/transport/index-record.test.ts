import t from 'tap'
import { devicePartOf, deviceParts, versionsPart } from '../../src/protocol/fleet-index.js'
import { topicsBelow } from '../../src/protocol/topics.js'
import { changeIndex, readIndex, readIndexParts } from '../../src/transport/index-record.js'
import { publishRetained } from '../../src/transport/publish-retained.js'
import { openConnection, startBroker } from '../helpers/broker.js'
import { Mosquitto, skipWithoutMosquitto } from '../helpers/mosquitto.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

const topics = topicsBelow('yolo-edge/v2')
const reading = { quietMs: 100 }
const add = (name: string) => (names: Set<string>) => names.add(name)

t.test('a name that is added is read, and one that is taken out is gone', async (t) => {
  const { url } = await startBroker(t)
  const connection = await openConnection(t, url)
  t.equal(await readIndex(connection, topics, versionsPart, reading), undefined)
  for (const name of ['parts 2.0.0', 'parts 1.0.0', 'parts 2.0.0'])
    await changeIndex(connection, topics, versionsPart, add(name), reading)
  t.same(await readIndex(connection, topics, versionsPart, reading), ['parts 1.0.0', 'parts 2.0.0'])
  await changeIndex(connection, topics, versionsPart, (names) => names.delete('parts 1.0.0'), reading)
  const parts = await readIndexParts(connection, topics, [versionsPart, ...deviceParts], reading)
  t.same([...parts], [[versionsPart, ['parts 2.0.0']]])
})

t.test(
  'writers that know nothing of each other lose no name',
  { skip: skipWithoutMosquitto() },
  async (t) => {
    const broker = await Mosquitto.start({ folder: temporaryFolder(t, {}) })
    t.teardown(() => broker.stop())
    const writers = await Promise.all(Array.from({ length: 12 }, () => openConnection(t, broker.url)))
    const names = writers.flatMap((_, writer) => [1, 2, 3].map((number) => `model-${writer} ${number}.0.0`))
    await Promise.all(
      writers.map(async (connection, writer) => {
        for (const name of names.filter((_, index) => Math.floor(index / 3) === writer))
          await changeIndex(connection, topics, versionsPart, add(name), reading)
      }),
    )
    t.same(await readIndex(writers[0]!, topics, versionsPart, reading), names.toSorted())
    await Promise.all(
      writers.map((connection, writer) =>
        changeIndex(connection, topics, versionsPart, (list) => list.delete(names[3 * writer]!), reading),
      ),
    )
    const left = names.filter((_, index) => index % 3 !== 0)
    t.same(await readIndex(writers[0]!, topics, versionsPart, reading), left.toSorted())
  },
)

t.test('a list that is no list stops who would overwrite it', async (t) => {
  const { url } = await startBroker(t)
  const connection = await openConnection(t, url)
  await publishRetained(connection, topics.index(versionsPart), Buffer.from('rubbish'))
  const expected = { code: 'protocol.payload_malformed', message: /index\/versions/ }
  await t.rejects(readIndex(connection, topics, versionsPart, reading), expected)
  await t.rejects(changeIndex(connection, topics, versionsPart, add('parts 1.0.0'), reading), expected)
})

t.test('devices are spread over all parts', (t) => {
  const counts = new Map<string, number>()
  for (let index = 0; index < 6400; index++) {
    const part = devicePartOf(`line-${index % 80}-camera-${Math.floor(index / 80)}`)
    counts.set(part, (counts.get(part) ?? 0) + 1)
  }
  t.equal(counts.size, deviceParts.length)
  t.ok(Math.max(...counts.values()) < 200)
  t.end()
})
