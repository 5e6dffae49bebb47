/** What a broker says of itself when it accepts a connection. Invariant: what it does not say is what MQTT takes for granted. */

import type { MqttClient } from 'mqtt'

/** What a broker has announced of itself when it accepted the connection; the defaults of MQTT where it did not. */
export interface BrokerLimits {
  /** Unacknowledged messages that it takes at once; 65,535 where it does not say. */
  readonly receiveMax: number
  /** Largest packet it takes, bytes; infinite where it does not say. */
  readonly packetBytesMax: number
  /** Highest quality of service it takes. */
  readonly qosMax: 0 | 1 | 2
  readonly keepsRetained: boolean
  readonly hasWildcards: boolean
}

/** The limits that the broker of `client`, which is connected, has announced. */
export function announcedLimits({ serverProperties }: MqttClient): BrokerLimits {
  const { receiveMaximum, maximumPacketSize, maximumQoS, retainAvailable, wildcardSubscriptionAvailable } =
    serverProperties ?? {}
  return {
    receiveMax: receiveMaximum ?? 65_535,
    packetBytesMax: maximumPacketSize ?? Number.POSITIVE_INFINITY,
    qosMax: maximumQoS === 0 || maximumQoS === 1 ? maximumQoS : 2,
    keepsRetained: retainAvailable !== false,
    hasWildcards: wildcardSubscriptionAvailable !== false,
  }
}
