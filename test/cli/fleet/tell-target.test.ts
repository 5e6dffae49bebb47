/** An operator is heard, whatever was said before, and hears who does not obey. */

import t, { type Test } from 'tap'
import type { FleetConnection } from '../../../src/cli/fleet/fleet-connection.js'
import { nextManifestSequence } from '../../../src/cli/fleet/manifest-on-broker.js'
import { tellTarget, type Told } from '../../../src/cli/fleet/tell-target.js'
import { desiredTopic, nextSequence, sealWish, wishFor } from '../../../src/cli/fleet/wish.js'
import type { DesiredTarget } from '../../../src/protocol/desired.js'
import { generateKeys, parseSigningKey, type SigningKey } from '../../../src/protocol/keys.js'
import { parseTelling, placeOf, unverifiedTelling } from '../../../src/protocol/release.js'
import { encodeReported, type Reported } from '../../../src/protocol/reported.js'
import { topicsBelow } from '../../../src/protocol/topics.js'
import { publishRetained } from '../../../src/transport/publish-retained.js'
import { openConnection, startBroker } from '../../helpers/broker.js'
import { TestFleet } from '../../helpers/test-fleet.js'

const topics = topicsBelow('yolo-edge/v2')
const stable: DesiredTarget = { kind: 'channel', name: 'stable' }
const pi: DesiredTarget = { kind: 'device', name: 'pi' }
const version = { model: 'shelf', version: '1.0.0' }
const in2040 = Date.parse('2040-01-01T00:00:00Z')
const nowMs = Date.parse('2026-06-01T00:00:00Z')
const at = '2026-06-01T00:00:00.000Z'

const [own, other] = [1, 2].map(() => parseSigningKey(generateKeys().privatePem)) as [SigningKey, SigningKey]

async function fleetOf(t: Test): Promise<{ fleet: FleetConnection; device: FleetConnection }> {
  const broker = await startBroker(t)
  const [operator, device] = [await openConnection(t, broker.url), await openConnection(t, broker.url)]
  return { fleet: { connection: operator, topics }, device: { connection: device, topics } }
}

t.test('a sequence is the time, and never behind what the broker holds', async (t) => {
  const { fleet } = await fleetOf(t)
  const hold = (sequence: number, key: SigningKey): Promise<void> => {
    const wish = { ...wishFor(version, stable, nowMs), sequence }
    return publishRetained(fleet.connection, desiredTopic(topics, stable), sealWish(wish, [key]))
  }
  t.equal(await nextSequence(fleet, stable, [own], nowMs), nowMs, 'nothing is held')
  await hold(in2040, own)
  t.equal(await nextSequence(fleet, stable, [own], nowMs), in2040 + 1, 'a publisher whose clock was wrong')
  await hold(in2040, other)
  t.equal(await nextSequence(fleet, stable, [own], nowMs), in2040 + 1, 'signed with another key of the fleet')
  await hold(Number.MAX_SAFE_INTEGER - 1, other)
  await t.rejects(nextSequence(fleet, stable, [own], nowMs), { code: 'trust.sequence_stale' })
  await hold(Number.MAX_SAFE_INTEGER - 1, own)
  t.equal(await nextSequence(fleet, stable, [own], nowMs), Number.MAX_SAFE_INTEGER)
  await publishRetained(fleet.connection, desiredTopic(topics, stable), Buffer.from('rubbish'))
  t.equal(await nextSequence(fleet, stable, [own], nowMs), nowMs)
})

t.test('the sequence of a version is above those of the versions before', async (t) => {
  const { fleet } = await fleetOf(t)
  const seconds = nowMs / 1000
  const next = (): Promise<number> => nextManifestSequence(fleet, 'shelf', [own], nowMs)
  t.equal(await next(), seconds)
  const published = new TestFleet()
  const hold = (number: number, sequence: number): Promise<void> => {
    const { envelope } = published.publish(number, (manifest) => ({ ...manifest, sequence }))
    return publishRetained(fleet.connection, topics.manifest('shelf', `${number}.0.0`), envelope)
  }
  await hold(1, seconds + 500)
  await hold(2, seconds - 500)
  t.equal(await next(), seconds + 501)
  await hold(3, Number.MAX_SAFE_INTEGER)
  t.equal(await next(), seconds + 501, 'a stranger does not use up the sequences')
})

/** Plays a device: says of each wish what `answer` makes of its sequence. */
async function play(
  { connection }: FleetConnection,
  target: DesiredTarget,
  name: string,
  answer: (sequence: number) => Partial<Reported>,
): Promise<number[]> {
  const heard: number[] = []
  await connection.subscribe([desiredTopic(topics, target)], 1, ({ payload }) => {
    const { sequence } = placeOf(unverifiedTelling(payload))
    heard.push(sequence)
    const reported = encodeReported({ at, ...answer(sequence) })
    void connection.publishState(topics.deviceState(name, 'reported'), reported)
  }).outcome
  return heard
}

const tell = (fleet: FleetConnection, target: DesiredTarget): Promise<Told> =>
  tellTarget(fleet, target, [own], (sequence) => ({
    kind: 'wish',
    wish: { ...wishFor(version, target, nowMs), sequence },
  }))

t.test('devices that refuse are named; one that takes it ends the wait', async (t) => {
  const { fleet, device } = await fleetOf(t)
  const error = { code: 'trust.key_unknown', message: 'none of its keys is trusted here' }
  await play(device, stable, 'pi', (sequence) => ({ refusedWish: { target: stable, at, error, sequence } }))
  await play(device, stable, 'nano', (sequence) => ({ desiredSequence: sequence }))
  t.match((await tell(fleet, stable)).refusals, [{ device: 'pi', error }])
  await play(device, pi, 'pi', (sequence) => ({ desiredSequence: sequence }))
  t.match(await tell(fleet, pi), { refusals: [], isTaken: true })
})

t.test('where devices have seen more than the broker holds, the wish goes above that', async (t) => {
  const { fleet, device } = await fleetOf(t)
  const error = { code: 'trust.sequence_stale', message: 'its sequence is low' }
  const heard = await play(device, pi, 'pi', (sequence) =>
    sequence > in2040
      ? { desiredSequence: sequence }
      : { refusedWish: { target: pi, at, error, sequence, newestSequence: in2040 } },
  )
  const told = await tell(fleet, pi)
  t.match(told, { refusals: [], isTaken: true })
  t.equal(heard.length, 2)
  t.equal(heard.at(-1), in2040 + 1)
  t.equal(told.telling.kind === 'wish' && told.telling.wish.sequence, in2040 + 1)
})

t.test('what is no wish and no release is refused by its type', (t) => {
  t.throws(
    () => parseTelling({ payloadType: 'application/vnd.yolo-edge.desired+json', payload: Buffer.from('{}') }),
    {
      code: 'protocol.payload_malformed',
    },
  )
  t.end()
})
