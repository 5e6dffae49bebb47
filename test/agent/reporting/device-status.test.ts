import t from 'tap'
import { DeviceStatus, type ServingFacts } from '../../../src/agent/reporting/device-status.js'
import { silentLogger } from '../../../src/base/logger.js'
import { parseReported, type Reported } from '../../../src/protocol/reported.js'
import { topicsBelow } from '../../../src/protocol/topics.js'
import type { ServedModel, SlotsView } from '../../../src/update/ports.js'
import { openConnection, startBroker, until } from '../../helpers/broker.js'
import { TestClock } from '../../helpers/test-clock.js'

const topics = topicsBelow('yolo-edge/v2')
const sha256 = 'a'.repeat(64)

function served(version: string, why: string): ServedModel {
  return {
    ...{ deploymentId: `of-${version}`, model: 'shelf', version, sequence: 1, variantId: 'small' },
    ...{ manifestSha256: sha256, blobSha256s: [sha256], sinceMs: 1, why },
  }
}

const first = served('1.0.0', 'balanced: the first')
const second = served('2.0.0', 'balanced: the second')
const refusal = { code: 'deployment.accuracy_low', message: 'mAP 0.100, expected 0.500' }
const deployment = (version: string, more: object = {}): NonNullable<ServingFacts['deployment']> => ({
  ...{ id: `of-${version}`, model: 'shelf', version },
  ...more,
})

t.test('a version on its way is told with how far it is, and no more once it is over', async (t) => {
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  const reader = await openConnection(t, broker.url)
  const heard: Reported[] = []
  await reader.subscribe([topics.deviceState('pi', 'reported')], 1, ({ payload }) => {
    heard.push(parseReported(payload))
  }).outcome
  const slots: SlotsView = { active: first, sequences: {} }
  const device = new DeviceStatus({
    ...{ connection, topics, device: 'pi', slots: () => slots, clock: new TestClock() },
    logger: silentLogger,
  })
  const facts: ServingFacts = {
    ...{
      served: { served: first, provider: 'cpu' },
      restoring: undefined,
      deployment: undefined,
      outcomes: [],
    },
    ...{ desiredSequence: undefined, refusedWish: undefined, refusedWishes: 0, distrust: undefined },
  }
  const steps = [
    ['offered', undefined, 0],
    ['downloading', 0.5, 0.25],
    ['trial', undefined, 0.55],
    ['soaking', 0.5, 0.9],
    ['committed', undefined, undefined],
    ['refused', undefined, undefined],
  ] as const
  for (const [index, [state, progress, expected]] of steps.entries()) {
    device.sayDeployment({
      ...{ at: '2026-01-01T00:00:00.000Z', id: 'd', state, model: 'shelf', version: '2.0.0', attempt: 1 },
      ...(progress !== undefined && { progress }),
    })
    device.sayReported(facts)
    await until(() => heard.length === index + 1)
    const updating =
      expected === undefined ? undefined : { model: 'shelf', version: '2.0.0', state, progress: expected }
    t.same(heard.at(-1)!.updating, updating, state)
  }
})

t.test('reasons stay while another deployment runs, and over a restart', async (t) => {
  const broker = await startBroker(t)
  const connection = await openConnection(t, broker.url)
  const heard: Reported[] = []
  const reader = await openConnection(t, broker.url)
  await reader.subscribe([topics.deviceState('pi', 'reported')], 1, ({ payload }) => {
    heard.push(parseReported(payload))
  }).outcome
  let slots: SlotsView = { active: first, sequences: {} }
  const status = (): DeviceStatus =>
    new DeviceStatus({
      ...{ connection, topics, device: 'pi', slots: () => slots, clock: new TestClock() },
      logger: silentLogger,
    })
  let said = 0
  const say = async (device: DeviceStatus, facts: Partial<ServingFacts>): Promise<Reported> => {
    const inFront = slots.active === undefined ? undefined : { served: slots.active, provider: 'cpu' }
    const known = {
      ...{ served: inFront, restoring: undefined },
      ...{ deployment: undefined, outcomes: [], desiredSequence: ++said },
      ...{ refusedWish: undefined, refusedWishes: 0, distrust: undefined },
    }
    device.sayReported({ ...known, ...facts })
    await until(() => heard.at(-1)?.desiredSequence === said)
    return heard.at(-1)!
  }

  const device = status()
  t.match(await say(device, { deployment: deployment('2.0.0') }), { active: { why: first.why } })
  const refused = { version: '2.0.0', error: refusal }
  t.match(await say(device, { deployment: deployment('2.0.0', { error: refusal }) }), {
    active: { version: '1.0.0', why: first.why },
    refused,
  })
  t.match(await say(device, { deployment: deployment('3.0.0') }), { refused }, 'another one has begun')
  const superseded = { code: 'deployment.wish_superseded', message: 'the wish was paused' }
  t.match(await say(device, { deployment: deployment('3.0.0', { error: superseded }) }), { refused })

  const outcomes: ServingFacts['outcomes'] = [
    {
      ...{ deploymentId: 'of-2.0.0', model: 'shelf', version: '2.0.0', endedAtMs: 5, result: 'refused' },
      ...{ attempts: 1, ...refusal, isFinal: true, retryAtMs: 0 },
    },
  ]
  t.match(await say(status(), { outcomes }), { active: { why: first.why }, refused }, 'after a restart')

  slots = { active: second, previous: first, beforeSwitch: { active: first }, sequences: {} }
  t.match(await say(device, { deployment: deployment('2.0.0') }), {
    active: { why: second.why },
    previous: { why: first.why },
    refused,
  })
  slots = { active: second, previous: first, sequences: {} }
  t.equal((await say(device, { deployment: deployment('2.0.0') })).refused, undefined, 'committed')

  const error = { code: 'integrity.digest_mismatch', message: 'a file is damaged' }
  const filledIn = await say(device, {
    served: { served: first, provider: 'cpu' },
    restoring: { model: second, sinceMs: 7, error },
  })
  t.match(filledIn, { active: { version: '1.0.0' }, restoring: { version: '2.0.0', error } })
  t.equal(filledIn.previous, undefined, 'there is nothing behind the one that fills in')
  const blind = await say(device, { served: undefined, restoring: { model: second, sinceMs: 7, error } })
  t.match([blind.active, blind.previous?.version], [undefined, '1.0.0'])
})
