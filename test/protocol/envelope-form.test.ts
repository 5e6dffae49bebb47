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
