/** What this device is asked to run: the wishes for its channel and for itself. */

import type { DesiredTarget } from '../../protocol/desired.js'
import type { Topics } from '../../protocol/topics.js'
import type { MqttConnection } from '../../transport/mqtt-connection.js'

/** Takes the signed wish for `target`; undefined when the wish was taken back. */
export type TakeWish = (target: DesiredTarget, envelope: Uint8Array | undefined) => void

/** Listens to the wishes for `device` and `channel`, until the returned function is called. */
export function listenToWishes(
  connection: MqttConnection,
  topics: Topics,
  { id: device, channel }: { readonly id: string; readonly channel: string },
  take: TakeWish,
): () => Promise<void> {
  const targets = new Map<string, DesiredTarget>([
    [topics.channelDesired(channel), { kind: 'channel', name: channel }],
    [topics.deviceDesired(device), { kind: 'device', name: device }],
  ])
  const subscription = connection.subscribe([...targets.keys()], 1, ({ topic, payload }) => {
    const target = targets.get(topic)
    if (target === undefined) return
    take(target, payload.byteLength === 0 ? undefined : Uint8Array.from(payload))
  })
  return () => subscription.close()
}
