import t from 'tap'
import { encodeSceneEvent, parseSceneEvent, type SceneEvent } from '../../src/protocol/scene-event.js'

const event: SceneEvent = {
  ...{ at: '2026-01-01T00:00:00.000Z', id: 'a', kind: 'end', camera: 'front', zone: 'dock', class: 'bolt' },
  ...{ trackId: 7, score: 0.9, bestScore: 0.95, share: [0, 0.1, 0.5, 1], model: 'm', version: '1.0.0' },
  ...{ since: '2026-01-01T00:00:00.000Z', dwellMs: 5, historical: true },
  picture: { jpeg: '/9j/2Q==', at: '2026-01-01T00:00:00.000Z', share: [0, 0, 1, 1] },
}

t.test('an event comes back as it was written', (t) => {
  t.same(parseSceneEvent(encodeSceneEvent(event)), event)
  t.end()
})

t.test('what is wrong is refused by the name of its field', (t) => {
  const refused = (change: object, message: RegExp): void => {
    t.throws(() => encodeSceneEvent({ ...event, ...change }), { code: 'protocol.payload_malformed', message })
  }
  refused({ kind: 'gone' }, /kind is "gone"/)
  refused({ trackId: 0 }, /track_id is 0, expected a whole number in 1\.\./)
  refused({ share: [0, 0, 2, 1] }, /share.* is 2, expected a number in 0\.\.1/)
  refused({ zone: 'a b' }, /zone is "a b"/)
  refused({ picture: { ...event.picture, jpeg: '<svg>' } }, /picture\.jpeg is "<svg>", expected base64/)
  t.end()
})
