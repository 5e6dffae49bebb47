import t from 'tap'
import { limits } from '../../src/protocol/limits.js'
import { largestPayloadBytes, payloadBytesMax } from '../../src/protocol/payload-limits.js'
import { topicsBelow } from '../../src/protocol/topics.js'

t.test('each topic has the bound of its reader, and a stranger has a small one', (t) => {
  const topics = topicsBelow('plant/v2')
  const of = (topic: string): number => payloadBytesMax('plant/v2', topic)
  t.equal(of(topics.channelDesired('stable')), limits.desiredEnvelopeBytes)
  t.equal(of(topics.deviceDesired('pi')), limits.desiredEnvelopeBytes)
  t.equal(of(topics.command('pi', 'deployments')), limits.commandBytes)
  t.equal(of(topics.manifest('parts', '1.0.0')), largestPayloadBytes)
  t.equal(of(topics.chunk('a'.repeat(64), 0)), 1024 ** 2)
  t.equal(of('elsewhere'), limits.commandBytes)
  t.end()
})
