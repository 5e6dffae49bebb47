/**
 * The worker of the page: holds the connection to the broker, so that reading the protocol never delays a frame.
 * Invariant: messages of the fleet's state wait here, the newest of each topic, until the page asks; those of an opened
 * device go on at once.
 */

import { parseTopic, type Topic } from '../../protocol/topics.js'
import { Inbox, type Incoming } from '../fleet/inbox.js'
import { packMessages } from '../fleet/message-batch.js'
import { BrokerLink } from './broker-link.js'
import type { FromLink, ToLink } from './link-messages.js'

/** What a dedicated worker has that the types of a window do not say. */
interface WorkerScope {
  postMessage(message: FromLink, transfer?: readonly Transferable[]): void
  onmessage: ((event: MessageEvent<ToLink>) => void) | null
}

const batchMax = 400
const scope = globalThis as unknown as WorkerScope

/** What only an open view of one device reads; all else goes to the store of the fleet. */
const closeUpKinds: ReadonlySet<Topic['kind']> = new Set(['detections', 'preview', 'response', 'manifest'])
/** Of these every message counts, not only the newest. */
const historyKinds: ReadonlySet<Topic['kind']> = new Set(['report', 'deployment'])

const inbox = new Inbox()
let root = ''
const link = new BrokerLink({
  onMessage: receive,
  onState: (state) => {
    scope.postMessage({ kind: 'state', state })
  },
})

scope.onmessage = ({ data }) => {
  switch (data.kind) {
    case 'open':
      inbox.clear()
      root = data.settings.root
      link.open(data.settings)
      return
    case 'listen':
      link.listen(data.filters)
      return
    case 'leave':
      link.leave(data.filters)
      return
    case 'send':
      link.send(data.topic, data.payload)
      return
    case 'take':
      sendBatch()
  }
}

function receive(message: Incoming): void {
  const kind = parseTopic(root, message.topic)?.kind
  if (kind === undefined) return
  if (closeUpKinds.has(kind)) scope.postMessage({ kind: 'close-up', message })
  else inbox.put(message, !historyKinds.has(kind))
}

function sendBatch(): void {
  const messages: Incoming[] = []
  inbox.drain(
    (message) => messages.push(message),
    () => messages.length >= batchMax,
  )
  const batch = packMessages(messages)
  scope.postMessage({ kind: 'fleet', batch }, [batch.bytes.buffer])
}
