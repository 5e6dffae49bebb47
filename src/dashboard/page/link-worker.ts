/**
 * The worker of the page: holds the connection to the broker and reads metrics, so that neither ever delays a frame.
 * Invariant: messages of the fleet's state wait here, the newest of each topic, until the page asks; those of an opened
 * device go on at once.
 */

import { parseTopic, type Topic, topicsBelow } from '../../protocol/topics.js'
import { FiguresPacker } from '../fleet/figures-batch.js'
import { Inbox, type Incoming } from '../fleet/inbox.js'
import { packMessages } from '../fleet/message-batch.js'
import { UnseenState } from '../fleet/unseen-state.js'
import { BrokerLink } from './broker-link.js'
import { every, monotonicMs } from './browser-clock.js'
import type { FromLink, ToLink } from './link-messages.js'

/** What a dedicated worker has that the types of a window do not say. */
interface WorkerScope {
  postMessage(message: FromLink, transfer?: readonly Transferable[]): void
  onmessage: ((event: MessageEvent<ToLink>) => void) | null
}

const batchMax = 400
/** What a short payload may keep in memory besides itself, bytes: its topic, for one. */
const lentMax = 512
/** How often is looked whether the broker keeps something from wildcards. */
const lookPeriodMs = 1000
const scope = globalThis as unknown as WorkerScope

/** What only an open view of one device reads; all else goes to the store of the fleet. */
const closeUpKinds: ReadonlySet<Topic['kind']> = new Set(['detections', 'preview', 'response', 'manifest'])
/** Kinds of topics of which every message counts, not only the newest. */
const historyKinds: ReadonlySet<Topic['kind']> = new Set(['report', 'deployment'])

const inbox = new Inbox()
let root = ''
let unseen: UnseenState | undefined
const link = new BrokerLink({
  onMessage: receive,
  onState: (state) => {
    if (state.kind === 'online') unseen ??= new UnseenState(topicsBelow(root), monotonicMs())
    scope.postMessage({ kind: 'state', state })
  },
})

scope.onmessage = ({ data }) => {
  switch (data.kind) {
    case 'open':
      inbox.clear()
      root = data.settings.root
      unseen = undefined
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

every(lookPeriodMs, () => {
  const filters = unseen?.due(monotonicMs()) ?? []
  if (filters.length > 0) link.listen(filters)
})

function receive(message: Incoming): void {
  const topic = parseTopic(root, message.topic)
  if (topic === undefined) return
  const { kind } = topic
  unseen?.hear(topic, message.payload, monotonicMs())
  if (kind === 'index') return
  if (closeUpKinds.has(kind)) {
    const payload = message.payload.slice()
    scope.postMessage({ kind: 'close-up', message: { ...message, payload } }, [payload.buffer])
  } else inbox.put(frugal(message), !historyKinds.has(kind))
}

/** The message, with a payload of its own where a lent one would keep much more in memory than itself. */
function frugal(message: Incoming): Incoming {
  const { topic, payload } = message
  return payload.buffer.byteLength > 2 * payload.length + lentMax
    ? { topic, payload: payload.slice() }
    : message
}

function sendBatch(): void {
  const messages: Incoming[] = []
  const packer = new FiguresPacker()
  let count = 0
  inbox.drain(
    (message) => {
      count++
      const topic = parseTopic(root, message.topic)
      if (topic?.kind !== 'metrics' || !packer.add(topic.device, message.payload)) messages.push(message)
    },
    () => count >= batchMax,
  )
  const batch = packMessages(messages)
  const figures = packer.pack()
  scope.postMessage({ kind: 'fleet', batch, figures }, [batch.bytes.buffer, figures.values.buffer])
}
