import t from 'tap'
import { listenToCommands } from '../../../src/agent/delivery/commands.js'
import { systemClock } from '../../../src/base/clock.js'
import { silentLogger } from '../../../src/base/logger.js'
import { askDevice } from '../../../src/cli/fleet/ask-device.js'
import { encodeCommand } from '../../../src/protocol/command.js'
import { topicsBelow } from '../../../src/protocol/topics.js'
import { openConnection, startBroker, until } from '../../helpers/broker.js'

const topics = topicsBelow('yolo-edge/v2')

t.test('a device answers what it is asked, and says which questions there are', async (t) => {
  const broker = await startBroker(t)
  const [device, operator] = [await openConnection(t, broker.url), await openConnection(t, broker.url)]
  let asked = 0
  const ports = { connection: device, topics, clock: systemClock, logger: silentLogger }
  const close = listenToCommands(ports, 'pi', new Map([['count', () => ++asked]]))
  const fleet = { connection: operator, topics }
  t.equal(await askDevice(fleet, 'pi', 'count', 10_000), 1)
  t.equal(await askDevice(fleet, 'pi', 'count', 10_000), 2)
  await t.rejects(askDevice(fleet, 'pi', 'format', 10_000), {
    code: 'protocol.name_invalid',
    message: /no command format: expected one of count/,
  })
  await t.rejects(askDevice(fleet, 'other', 'count', 200), { code: 'network.request_timeout' })

  const ask = (payload: Uint8Array): Promise<unknown> =>
    operator.publish(topics.command('pi', 'count'), payload, { qos: 1, retain: false })
  await ask(Buffer.from('rubbish'))
  await ask(encodeCommand({ transaction: 'late', expiresAt: '2020-01-01T00:00:00.000Z' }))
  await ask(encodeCommand({ transaction: 'timely' }))
  await until(() => asked > 2)
  t.equal(asked, 3, 'rubbish and what came too late are not obeyed')
  await close()
})

t.test('a device whose clock is ahead says so, and its answer does not wait for the limit', async (t) => {
  const broker = await startBroker(t)
  const [device, operator] = [await openConnection(t, broker.url), await openConnection(t, broker.url)]
  const clock = { ...systemClock, wallMs: () => systemClock.wallMs() + 3_600_000 }
  let asked = 0
  const close = listenToCommands(
    { connection: device, topics, clock, logger: silentLogger },
    'pi',
    new Map([['count', () => ++asked]]),
  )
  await t.rejects(askDevice({ connection: operator, topics }, 'pi', 'count', 60_000), {
    code: 'protocol.request_expired',
    message: /device pi: cannot answer count: it held until .*, and the clock here says/,
    hint: /set the clocks/,
  })
  t.equal(asked, 0)
  await close()
})
