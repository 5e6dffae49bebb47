import t from 'tap'
import { UnseenState } from '../../../src/dashboard/fleet/unseen-state.js'
import { deviceParts, encodeIndexPart } from '../../../src/protocol/fleet-index.js'
import { parseTopic, topicsBelow } from '../../../src/protocol/topics.js'

const topics = topicsBelow('yolo-edge/v2')
const nothing = new Uint8Array()

function unseen(): {
  readonly state: UnseenState
  readonly hear: (topic: string, nowMs: number, payload?: Uint8Array) => void
} {
  const state = new UnseenState(topics, 0)
  return {
    state,
    hear: (topic, nowMs, payload = nothing) => {
      state.hear(parseTopic(topics.root, topic)!, payload, nowMs)
    },
  }
}

const list = (...names: readonly string[]): Uint8Array =>
  encodeIndexPart({ writer: 'test', names, added: names, removed: [] })

t.test('a fleet that wildcards show is asked for nothing else', (t) => {
  const { state, hear } = unseen()
  for (let device = 0; device < 100; device++) {
    hear(topics.deviceState(`cam-${device}`, 'metrics'), 10)
    hear(topics.deviceState(`cam-${device}`, 'info'), 2000)
  }
  for (const nowMs of [0, 2000, 4000, 60_000]) t.same(state.due(nowMs), [])
  t.end()
})

t.test('where nothing that is retained comes, the list is asked for once, and whom it names', (t) => {
  const { state, hear } = unseen()
  t.same(state.due(2900), [])
  t.equal(state.due(3000).length, 1 + deviceParts.length)
  t.same(state.due(9000), [])
  hear(topics.index('wishes'), 9000, list('channel stable', 'device cam.1'))
  hear(topics.index(deviceParts[3]!), 9000, list('cam.1', 'cam.2'))
  hear(topics.deviceState('cam.2', 'info'), 9001)
  t.same(state.due(9002), [
    topics.channelDesired('stable'),
    ...(['availability', 'info', 'reported', 'deployment', 'report'] as const).map((kind) =>
      topics.deviceState('cam.1', kind),
    ),
  ])
  hear(topics.index('wishes'), 9003, list('channel stable'))
  hear(topics.deviceState('cam.1', 'metrics'), 9003)
  t.same(state.due(60_000), [], 'nothing twice')
  t.end()
})

t.test(
  'a device that is heard and has shown no info is asked for itself; a list of rubbish names nobody',
  (t) => {
    const { state, hear } = unseen()
    hear(topics.deviceState('seen', 'info'), 0)
    hear(topics.deviceState('new', 'metrics'), 5000)
    hear(topics.index('wishes'), 5000, Buffer.from('rubbish'))
    t.same(state.due(7900), [])
    t.equal(state.due(8000).length, 5)
    t.end()
  },
)
