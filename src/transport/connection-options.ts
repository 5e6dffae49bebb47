/** How to reach a broker, and the limits of one connection. Invariant: no message made from them holds a credential. */

import { AgentError } from '../base/errors.js'
import type { BackoffOptions } from '../base/backoff.js'

/** MQTT 5, MQTT 3.1.1, or 5 with a fall-back to 3.1.1 where the broker does not know it. */
export type ProtocolChoice = 5 | 4 | 'auto'

/** PEM texts of a TLS connection. */
export interface TlsOptions {
  /** Authorities that are believed instead of those of the system. */
  readonly ca?: string
  /** Client certificate and its key. */
  readonly cert?: string
  readonly key?: string
  /** Accepts any certificate: only for trials. */
  readonly insecure?: boolean
}

/** What a broker needs to know, and how patient the connection is. */
export interface ConnectionOptions {
  /** `mqtt://`, `mqtts://`, `ws://` or `wss://` with host, optional port and, for WebSockets, path. */
  readonly url: string
  /** Further addresses of the same broker or cluster, tried in turn after `url`. */
  readonly furtherUrls?: readonly string[]
  readonly clientId: string
  /** `auto` unless given. */
  readonly protocol?: ProtocolChoice
  readonly username?: string
  readonly password?: string
  readonly tls?: TlsOptions
  /** Interval of pings in seconds; 30 unless given. A dead link is found within 1.5 intervals. */
  readonly keepaliveS?: number
  /** Whether the broker forgets subscriptions and queued messages of an earlier connection; true unless given. */
  readonly cleanStart?: boolean
  /** With cleanStart off: how long the broker remembers, seconds; 3600 unless given. */
  readonly sessionExpiryS?: number
  /** Topic of this client's availability: `online` after connecting, `offline` by the broker, `stopped` at the end. */
  readonly availabilityTopic?: string
  /** Time for a connection to be accepted; 15 s unless given. */
  readonly connectTimeoutMs?: number
  /** Waits between attempts; 1 s up to 60 s unless given. */
  readonly backoff?: BackoffOptions
  /** Largest message that the broker may send (told to MQTT 5 brokers); 32 MiB unless given. */
  readonly packetBytesMax?: number
  /**
   * Payload bytes of the largest message that is wanted from a topic: a larger one is acknowledged, counted and kept out of
   * memory. No message is kept out unless given.
   */
  readonly payloadBytesMaxOf?: (topic: string) => number
  /** Bytes that may wait in memory to be sent; what comes on top is dropped and counted; 16 MiB unless given. */
  readonly outgoingBytesMax?: number
  /**
   * Silence after which messages that wait for their acknowledgement end the connection: a peer that answers pings and
   * nothing else is of no use. 60 s unless given.
   */
  readonly acknowledgeTimeoutMs?: number
  /** Topics in one SUBSCRIBE packet; 8 unless given, the limit of AWS IoT Core. */
  readonly topicsPerSubscribe?: number
}

/** Options with every default filled in. */
export type ResolvedOptions = ConnectionOptions &
  Required<
    Pick<
      ConnectionOptions,
      | 'protocol'
      | 'keepaliveS'
      | 'cleanStart'
      | 'sessionExpiryS'
      | 'connectTimeoutMs'
      | 'backoff'
      | 'packetBytesMax'
      | 'outgoingBytesMax'
      | 'acknowledgeTimeoutMs'
      | 'topicsPerSubscribe'
    >
  > & { readonly addresses: readonly [BrokerAddress, ...BrokerAddress[]] }

/** One address of a broker. */
export interface BrokerAddress {
  readonly url: string
  /** Scheme, host and port alone: for messages. */
  readonly broker: string
}

const schemes: ReadonlySet<string> = new Set(['mqtt:', 'mqtts:', 'ws:', 'wss:'])

/** Fills in defaults. Throws `config.value_invalid` for an address that is no broker's. */
export function resolveOptions(options: ConnectionOptions): ResolvedOptions {
  return {
    protocol: 'auto',
    keepaliveS: 30,
    cleanStart: true,
    sessionExpiryS: 3600,
    connectTimeoutMs: 15_000,
    backoff: { firstMs: 1000, capMs: 60_000 },
    packetBytesMax: 32 * 1024 ** 2,
    outgoingBytesMax: 16 * 1024 ** 2,
    acknowledgeTimeoutMs: 60_000,
    topicsPerSubscribe: 8,
    ...options,
    addresses: [addressOf(options.url), ...(options.furtherUrls ?? []).map(addressOf)],
  }
}

function addressOf(text: string): BrokerAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !schemes.has(url.protocol) || url.hostname === '') {
    const shown = url === undefined ? 'the broker address' : `broker address ${url.protocol}//${url.host}`
    throw new AgentError(
      'config.value_invalid',
      `${shown} is not usable, expected mqtt://, mqtts://, ws:// or wss:// with a host`,
    )
  }
  if (url.username !== '' || url.password !== '') {
    throw new AgentError(
      'config.value_invalid',
      `broker address ${url.protocol}//${url.host} holds credentials, expected them in their own settings`,
    )
  }
  return { url: text, broker: `${url.protocol}//${url.host}` }
}
