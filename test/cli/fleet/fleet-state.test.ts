/** What operators read of a fleet, on a broker that gives nothing retained to wildcards and on one that does. */

import t, { type Test } from 'tap'
import { systemClock } from '../../../src/base/clock.js'
import { readFleetState } from '../../../src/cli/fleet/fleet-state.js'
import { retireVersion } from '../../../src/cli/fleet/retire.js'
import { sendWish, wishFor } from '../../../src/cli/fleet/wish.js'
import { SimulatedFleet } from '../../../src/cli/simulate/simulated-fleet.js'
import { deviceParts } from '../../../src/protocol/fleet-index.js'
import { artefactsOf } from '../../../src/protocol/manifest.js'
import { topicsBelow } from '../../../src/protocol/topics.js'
import { readIndexParts } from '../../../src/transport/index-record.js'
import { readRetained } from '../../../src/transport/retained-reading.js'
import { openConnection, startBroker, until } from '../../helpers/broker.js'
import { startOddBroker } from '../../helpers/odd-broker.js'
import { publishVersion } from '../../helpers/publish-version.js'
import { fleetModel, TestFleet } from '../../helpers/test-fleet.js'

const topics = topicsBelow('yolo-edge/v2')
const reading = { quietMs: 100 }

/** Two devices of the channel `stable` that run version 1.0.0. */
async function servingDevices(t: Test, url: string, fleet: TestFleet): Promise<SimulatedFleet> {
  const place = {
    topics,
    clock: systemClock,
    connection: { url, clientId: 'unused' },
    prefix: 'cam.1',
    firstNumber: 1,
  }
  const devices = new SimulatedFleet(2, place, {
    channel: 'stable',
    trust: fleet.trust,
    failShare: 0,
    trialMs: 1,
    soakMs: 1,
    metricsPeriodMs: 100,
    windowChunks: 8,
    spreadMs: 0,
  })
  t.teardown(() => devices.stop())
  t.equal(await devices.start(10_000, new AbortController().signal), 2)
  await until(() => devices.figures().committed === 2)
  return devices
}

t.test(
  'where wildcards give nothing retained, devices are heard, listed, and known when they are off',
  async (t) => {
    const url = await startOddBroker(t, { isBlindToWildcards: true })
    const connection = await openConnection(t, url)
    const connected = { connection, topics }
    const fleet = new TestFleet()
    await publishVersion(connection, topics, fleet, 1, reading.quietMs)
    const wish = wishFor({ model: fleetModel, version: '1.0.0' }, { kind: 'channel', name: 'stable' }, 1)
    await sendWish(connected, wish, [fleet.key])
    const devices = await servingDevices(t, url, fleet)

    const first = await readFleetState(connected, ['reported', 'info'], { reading, listenMs: 1000 })
    const states = ['cam.1-00001', 'cam.1-00002'].flatMap((device) => [
      topics.deviceState(device, 'reported'),
      topics.deviceState(device, 'info'),
    ])
    const expected = [...states, topics.channelDesired('stable')].sort()
    t.same([...first.messages.keys()].sort(), expected)
    t.equal(first.unfinished, undefined)
    t.match(first.gaps, [/no retained messages for wildcards: 0 devices are listed, 2 more were heard/])
    const listed = await readIndexParts(connection, topics, deviceParts, reading)
    t.same([...listed.values()].flat().sort(), ['cam.1-00001', 'cam.1-00002'])

    await devices.stop()
    const second = await readFleetState(connected, ['reported', 'info'], { reading, listenMs: 200 })
    t.same([...second.messages.keys()].sort(), expected, 'also those that are off')
    t.match(second.gaps, [/2 devices are listed, 0 more were heard/])
  },
)

t.test('where wildcards give nothing retained, a version goes and leaves what others need', async (t) => {
  const connection = await openConnection(t, await startOddBroker(t, { isBlindToWildcards: true }))
  const connected = { connection, topics }
  const fleet = new TestFleet()
  for (const number of [1, 2]) await publishVersion(connection, topics, fleet, number, reading.quietMs)
  const wanted = { model: fleetModel, version: '2.0.0' }
  await sendWish(connected, wishFor(wanted, { kind: 'channel', name: 'stable' }, 1), [fleet.key])
  await t.rejects(retireVersion(connected, wanted, { reading }), { code: 'bundle.version_wanted' })
  const figures = await retireVersion(connected, { model: fleetModel, version: '1.0.0' }, { reading })
  t.same(figures.doubts, [])
  t.ok(figures.clearedChunks > 0)
  const needed = artefactsOf(fleet.bundle('2.0.0')!.manifest).flatMap(({ blob }) =>
    blob.chunks.map((_, index) => topics.chunk(blob.sha256, index)),
  )
  const { messages } = await readRetained(connection, needed, {
    isComplete: ({ size }) => size === needed.length,
  })
  t.equal(messages.size, needed.length)
})

t.test(
  'a broker that shows a message only a while after it took it is not taken for one that threw it away',
  async (t) => {
    const connection = await openConnection(t, await startOddBroker(t, { shownAfterMs: 200 }), {
      protocol: 4,
    })
    await t.resolves(publishVersion(connection, topics, new TestFleet(), 1, reading.quietMs))
  },
)

t.test('where wildcards give everything, nothing is listened for and nothing is missing', async (t) => {
  const { url } = await startBroker(t)
  const connection = await openConnection(t, url)
  const fleet = new TestFleet()
  await publishVersion(connection, topics, fleet, 1, reading.quietMs)
  const wish = wishFor({ model: fleetModel, version: '1.0.0' }, { kind: 'channel', name: 'stable' }, 1)
  await sendWish({ connection, topics }, wish, [fleet.key])
  await servingDevices(t, url, fleet)
  const state = await readFleetState({ connection, topics }, ['reported'], { reading, listenMs: 60_000 })
  t.same(state.gaps, [])
  t.equal(state.messages.size, 3)
})
