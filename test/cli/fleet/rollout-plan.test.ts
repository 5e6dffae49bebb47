/** Rollouts that go on and stop by themselves: all that is needed lies on the broker. */

import t from 'tap'
import type { FleetConnection } from '../../../src/cli/fleet/fleet-connection.js'
import { carryOut } from '../../../src/cli/fleet/rollout-plan.js'
import { ownWish, sendWish, wishFor } from '../../../src/cli/fleet/wish.js'
import { encodeDeployment } from '../../../src/protocol/deployment.js'
import { generateKeys, parseSigningKey } from '../../../src/protocol/keys.js'
import { encodeReported } from '../../../src/protocol/reported.js'
import { phaseOf } from '../../../src/protocol/rollout-phase.js'
import { defaultRoot, topicsBelow } from '../../../src/protocol/topics.js'
import { openConnection, startBroker } from '../../helpers/broker.js'
import { exampleReported } from '../../helpers/example-messages.js'

const topics = topicsBelow(defaultRoot)
const at = '2026-01-01T00:00:00.000Z'
const stable = { kind: 'channel', name: 'stable' } as const
const version = { model: 'yolov8n', version: '2.0.0' }

t.test(
  'wider while devices are well, halted when they are not, only with the key that signed it',
  async (t) => {
    const broker = await startBroker(t)
    const fleet: FleetConnection = { connection: await openConnection(t, broker.url), topics }
    const devices = await openConnection(t, broker.url)
    const serves = (name: string): Promise<unknown> => {
      const reported = { ...exampleReported, active: { ...exampleReported.active!, version: '2.0.0' } }
      return devices.publishState(topics.deviceState(name, 'reported'), encodeReported(reported))
    }
    const fails = (name: string): Promise<unknown> => {
      const error = { code: 'deployment.accuracy_low', message: 'mAP 0.1, expected 0.5' }
      const course = { at, id: 'd1', state: 'refused', ...version, attempt: 1, error } as const
      return devices.publishState(topics.deviceState(name, 'deployment'), encodeDeployment(course))
    }
    const [key, stranger] = [1, 2].map(() => parseSigningKey(generateKeys().privatePem)) as [
      ReturnType<typeof parseSigningKey>,
      ReturnType<typeof parseSigningKey>,
    ]
    const plan = { steps: [5, 50, 100], everyMs: 0, failureShareMax: 0.25, devicesMin: 2 }
    const begun = wishFor(version, stable, Date.now() - 1000, { rollout: { percent: 5, salt: 's', plan } })
    await sendWish(fleet, begun, [key])
    await serves('a')
    t.same(await carryOut(fleet, key), [], 'one device is not enough')
    await serves('b')
    t.same(await carryOut(fleet, stranger), [], 'somebody else has signed it')
    t.match(await carryOut(fleet, key), [{ move: { kind: 'widen', percent: 50 } }])
    t.match((await ownWish(fleet, stable, key)).rollout, { percent: 50, salt: 's', plan })
    await fails('c')
    await fails('d')
    t.match(await carryOut(fleet, key), [
      { move: { kind: 'halt', reason: '2 of 4 devices failed, more than 25 %' } },
    ])
    const held = await ownWish(fleet, stable, key)
    t.equal(phaseOf(held, Date.now()), 'halted')
    t.equal(held.rollout?.halted, '2 of 4 devices failed, more than 25 %')
    t.ok(held.sequence > begun.sequence)
    t.same(await carryOut(fleet, key), [], 'a person decides now')
  },
)
