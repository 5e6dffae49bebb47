/**
 * What the reason codes of MQTT 3.1.1 (1 to 5) and MQTT 5 (128 and up) mean for a fleet.
 * Invariant: one code has one sentence, wherever a person reads of it.
 */

interface ReasonRow {
  /** What the broker says, as a clause whose subject is the broker: "it ...". */
  readonly reason: string
  /** Asking again cannot help until a person changes something. */
  readonly isLasting: boolean
  /** What a person can do. */
  readonly hint?: string
}

const lasting = (reason: string, hint?: string): ReasonRow => ({
  reason,
  isLasting: true,
  ...(hint !== undefined && { hint }),
})
const passing = (reason: string, hint?: string): ReasonRow => ({
  ...lasting(reason, hint),
  isLasting: false,
})

const version = lasting('it does not know this MQTT version')
const clientId = lasting(
  'it does not accept the client id',
  'Let the rules of the broker accept the client id of a device: it is device.id, with ~ for each dot',
)
const unavailable = passing('it is not available')
const password = lasting('user name or password is wrong')
const unauthorized = lasting(
  'this client is not authorized',
  'Check that the account exists and that the access rules of the broker let it in',
)
const twin = passing(
  'another client has connected with the same client id',
  'Give every device a device.id of its own',
)
const tooLarge = passing(
  'a message was too large',
  'Raise the message size limit of the broker: chunks have 61,440 bytes, manifests may be larger',
)
const noRetain = lasting(
  'it keeps no retained messages',
  'Switch retained messages on at the broker: models and states are kept in them',
)
const noQos = lasting(
  'it does not take messages of QoS 1',
  'Let the broker take QoS 1: without it nobody knows what has arrived',
)

/** https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901031 and MQTT 3.1.1, table 3.1. */
const rows: ReadonlyMap<number, ReasonRow> = new Map([
  [1, version],
  [2, clientId],
  [3, unavailable],
  [4, password],
  [
    5,
    lasting(
      'this client is not authorized',
      'Check user name and password, and that the access rules of the broker let the account in',
    ),
  ],
  [128, passing('it gives no reason')],
  [129, passing('it found a malformed packet')],
  [130, passing('it found an error of the protocol')],
  [131, passing('it has a reason of its own')],
  [132, version],
  [133, clientId],
  [134, password],
  [135, unauthorized],
  [136, unavailable],
  [137, passing('it is busy')],
  [
    138,
    lasting('this client is banned', 'Take the client or its account off the list of bans of the broker'),
  ],
  [139, passing('it shuts down')],
  [140, lasting('it wants another way to authenticate')],
  [141, passing('nothing was heard of this client for too long')],
  [142, twin],
  [143, passing('it does not take the topic filter')],
  [144, passing('it does not take the topic')],
  [147, passing('too many messages were unacknowledged')],
  [149, tooLarge],
  [150, passing('messages came too fast')],
  [151, passing('a quota is used up')],
  [152, passing('an administrator ended the connection')],
  [153, passing('it does not take the form of a payload')],
  [154, noRetain],
  [155, noQos],
  [156, passing('it wants this client to use another broker')],
  [157, lasting('it has moved', 'Set broker.url to the address it has moved to')],
  [159, passing('too many connections in a short time')],
  [160, passing('the connection lasted as long as the broker allows')],
])

/** What `code` means, in words; codes without a row are named by their number. */
export function reasonOf(code: number): ReasonRow {
  return rows.get(code) ?? passing(`reason code ${code}`)
}

/** Whether `code` says that the broker does not speak the offered version of MQTT. */
export function isVersionCode(code: number | undefined): boolean {
  return code === 1 || code === 132
}
