import t from 'tap'
import { type Incoming } from '../../../src/dashboard/fleet/inbox.js'
import { packMessages, unpackMessages } from '../../../src/dashboard/fleet/message-batch.js'

const message = (topic: string, text: string): Incoming => ({
  topic,
  payload: new TextEncoder().encode(text),
})

t.test('messages come out as they went in', (t) => {
  const messages = [message('a', 'first'), message('b', ''), message('a', 'größer'), message('c', 'x')]
  t.same(unpackMessages(packMessages(messages)), messages)
  t.same(unpackMessages(packMessages([])), [])
  t.end()
})

t.test('all payloads travel in one buffer, which holds nothing else', (t) => {
  const whole = new TextEncoder().encode('a long text of which a part is sent')
  const batch = packMessages([{ topic: 'a', payload: whole.subarray(2, 6) }, message('b', 'and more')])
  t.equal(batch.bytes.buffer.byteLength, 12)
  const moved = structuredClone(batch, { transfer: [batch.bytes.buffer] })
  t.same(
    unpackMessages(moved).map(({ payload }) => new TextDecoder().decode(payload)),
    ['long', 'and more'],
  )
  t.end()
})
