/**
 * A day in the life of a simulated fleet: metrics, pictures for whoever asks, a rollout, refusals, rollbacks, outages.
 * Invariant: pictures are sent only while a request for them lasts.
 */

import { parseCommand, encodeResponse } from '../../src/protocol/command.js'
import type { DeploymentState } from '../../src/protocol/deployment.js'
import { parsePreviewRequest } from '../../src/protocol/preview.js'
import { parseTopic, type Topics } from '../../src/protocol/topics.js'
import type { MqttConnection } from '../../src/transport/mqtt-connection.js'
import type { SimulatedDevice, SimulatedFleet } from './simulated-fleet.js'

/** Obeys preview commands for every device; the returned function tells whether pictures of a device are asked for. */
export async function obeyPreview(
  connection: MqttConnection,
  topics: Topics,
  devices: readonly SimulatedDevice[],
): Promise<(device: string) => boolean> {
  const until = new Map<string, number>()
  const filters = devices.map(({ name }) => topics.commandsOf(name))
  const subscription = connection.subscribe(filters, 1, ({ topic, payload }) => {
    const parsed = parseTopic(topics.root, topic)
    if (parsed?.kind !== 'command' || parsed.command !== 'preview') return
    const { transaction, args } = parseCommand(payload)
    until.set(parsed.device, Date.now() + parsePreviewRequest(args).forMs)
    const response = encodeResponse({ transaction, status: 'ok' })
    void connection.publish(topics.response(parsed.device, parsed.command), response, { qos: 1 })
  })
  await subscription.outcome
  return (device) => (until.get(device) ?? 0) > Date.now()
}

const course: readonly DeploymentState[] = [
  'offered',
  'downloading',
  'verifying',
  'staged',
  'trial',
  'switching',
  'soaking',
]

/** One deployment from offer to its end. */
export async function deployTo(
  device: SimulatedDevice,
  version: string,
  end: 'committed' | 'refused' | 'rollingBack',
  stepMs: number,
): Promise<void> {
  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, stepMs))
  const states = end === 'refused' ? course.slice(0, 5) : course
  for (const state of states) {
    if (state === 'downloading' || state === 'trial')
      for (const progress of [0.1, 0.4, 0.7, 0.95]) {
        await device.deployStep(version, state, { progress, etaMs: (1 - progress) * stepMs * 8 })
        await pause()
      }
    await device.deployStep(version, state)
    await pause()
  }
  if (end === 'refused') {
    const message = 'the best variant reached mAP 0.291 on the golden set, expected at least 0.340'
    await device.deployStep(version, 'refused', { error: { code: 'deployment.accuracy_low', message } })
  } else if (end === 'rollingBack') {
    const message = 'p95 latency rose to 412 ms while soaking, expected at most 200 ms'
    await device.deployStep(version, 'rollingBack', { error: { code: 'deployment.soak_failed', message } })
  } else await device.deployStep(version, 'committed')
  await pause()
  if (end !== 'committed') await device.deployStep(version, 'idle')
}

/** Lets the fleet live until the returned function is called. */
export async function liveFleet(
  fleet: SimulatedFleet,
  connection: MqttConnection,
  topics: Topics,
): Promise<() => void> {
  const isAsked = await obeyPreview(connection, topics, fleet.devices)
  for (const [index, device] of fleet.devices.entries()) {
    await device.report(0.35 + 0.02 * Math.sin(index), index % 17 === 5 ? 0.31 : 0.04 + 0.02 * (index % 3))
    if (index % 13 === 7) await device.setAvailability('offline')
    if (index % 41 === 20) await device.setAvailability('stopped')
    for (const camera of device.cameras.slice(0, index < 24 ? 2 : 0))
      camera.start(10, () => isAsked(device.name))
  }
  fleet.startMetrics(2000)
  const timers = [
    setInterval(() => {
      for (const [index, device] of fleet.devices.entries())
        void device.report(0.35 + 0.02 * Math.sin(index), index % 17 === 5 ? 0.31 : 0.05)
    }, 20_000),
  ]
  let next = 0
  timers.push(
    setInterval(() => {
      const index = next++ % fleet.devices.length
      const device = fleet.devices[index]!
      if (device.version === '1.5.0' || index % 13 === 7) return
      void deployTo(
        device,
        '1.5.0',
        index % 11 === 3 ? 'refused' : index % 11 === 6 ? 'rollingBack' : 'committed',
        800,
      )
    }, 1500),
  )
  return () => {
    for (const timer of timers) clearInterval(timer)
  }
}
