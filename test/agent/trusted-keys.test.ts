import { join } from 'node:path'
import t from 'tap'
import { trustPolicyOf } from '../../src/agent/trusted-keys.js'
import { encodeTrustedKeys, generateKeys, parseTrustedKeys } from '../../src/protocol/keys.js'

t.test('trusts the keys of every key file, equal keys once', async (t) => {
  const [one, two] = [generateKeys(), generateKeys()]
  const folder = t.testdir({
    'one.pub': one.publicPem,
    'both.pem': one.publicPem + two.publicPem,
    'ring.json': encodeTrustedKeys(parseTrustedKeys(two.publicPem)),
    'README.md': 'keys of the fleet',
  })
  const policy = await trustPolicyOf(folder, false)
  t.same(policy.keys.map((key) => key.keyId).sort(), [one.keyId, two.keyId].sort())
  t.equal(policy.allowUnsigned, false)
})

t.test('an absent folder trusts nobody', async (t) => {
  t.same((await trustPolicyOf(join(t.testdir(), 'absent'), true)).keys, [])
})

t.test('a private key or rubbish among the keys is refused by the name of its file', async (t) => {
  for (const content of [generateKeys().privatePem, 'rubbish']) {
    const folder = t.testdir({ 'fleet.pub': content })
    await t.rejects(trustPolicyOf(folder, false), { code: 'trust.key_unreadable', message: /fleet\.pub/ })
  }
})

t.test('a file in place of the folder is refused', async (t) => {
  const folder = t.testdir({ keys: 'not a folder' })
  await t.rejects(trustPolicyOf(join(folder, 'keys'), false), { code: 'trust.key_unreadable' })
})
