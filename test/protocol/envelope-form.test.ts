import t from 'tap'
import { sealEnvelope } from '../../src/protocol/envelope.js'
import { unverifiedPayload } from '../../src/protocol/envelope-form.js'

t.test('a page reads what was asked for without any key', (t) => {
  const payload = Uint8Array.from({ length: 300 }, (_, index) => index % 256)
  t.same(unverifiedPayload(sealEnvelope('text/plain', payload, []), ['text/plain']).payload, payload)
  t.throws(() => unverifiedPayload(sealEnvelope('text/plain', payload, []), ['text/html']), {
    code: 'protocol.payload_malformed',
  })
  t.throws(() => unverifiedPayload(new TextEncoder().encode('{"payload":5}'), ['text/plain']), {
    code: 'protocol.payload_malformed',
  })
  t.end()
})

t.test('a wish is small, and an envelope has no more structure than its signatures need', (t) => {
  const wish = 'application/vnd.yolo-edge.desired+json'
  const large = new TextEncoder().encode(
    JSON.stringify({ payload: 'A'.repeat(33_000), payloadType: wish, signatures: [] }),
  )
  t.throws(() => unverifiedPayload(large, [wish]), {
    code: 'protocol.payload_oversized',
    message: /at most 32768/,
  })
  for (const text of ['['.repeat(300), `[${'{},'.repeat(300)}{}]`, `[${'1,'.repeat(300)}1]`])
    t.throws(() => unverifiedPayload(new TextEncoder().encode(text), [wish]), {
      code: 'protocol.payload_malformed',
      message: /more than 256 times/,
    })
  const signatures = Array.from({ length: 16 }, () => ({ keyid: 'a'.repeat(64), sig: 'AAAA' }))
  const full = new TextEncoder().encode(JSON.stringify({ payload: 'AAAA', payloadType: wish, signatures }))
  t.equal(unverifiedPayload(full, [wish]).payload.byteLength, 3)
  t.end()
})
